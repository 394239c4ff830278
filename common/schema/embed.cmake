# cmake -DOUT=FILE.c -DSQL="A.sql;B.sql" -DINDEX=C.sql -P embed.cmake
# Writes C that holds the schema steps, in the order given: step n takes the
# store from user_version n - 1 to n; and the schema of an exported index.
function(embed file array)
    get_filename_component(name ${file} NAME)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    set(body "${body}\n/* ${name} */\nstatic const char ${array}[] = {\n${hex}0x00\n};\n"
        PARENT_SCOPE)
endfunction()

set(body "#include \"common/store_private.h\"\n\n#include <stddef.h>\n")
set(table "")
set(n 0)
foreach(file IN LISTS SQL)
    math(EXPR n "${n} + 1")
    get_filename_component(name ${file} NAME)
    if(NOT name MATCHES "^0*${n}-")
        message(FATAL_ERROR "schema step ${n} is called ${name}")
    endif()
    embed(${file} step_${n})
    string(APPEND table "\tstep_${n},\n")
endforeach()
embed(${INDEX} index_schema)
string(APPEND body "
static const char *const steps[] = {
${table}};

const char *
store_schema_step(unsigned int version)
{
	return version >= 1 && version <= STORE_SCHEMA_STEPS ?
	    steps[version - 1] : NULL;
}

const char *
store_index_schema(void)
{
	return index_schema;
}

_Static_assert(sizeof(steps) / sizeof(steps[0]) == STORE_SCHEMA_STEPS,
    \"common/CMakeLists.txt lists other steps than store_private.h counts\");
")
file(WRITE ${OUT} "${body}")
