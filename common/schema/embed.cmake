# cmake -DOUT=FILE.c -DSQL="A.sql;B.sql" -P embed.cmake
# Writes C that holds the schema steps, in the order given: step n takes the
# store from user_version n - 1 to n.
set(body "#include \"common/store_private.h\"\n\n#include <stddef.h>\n")
set(table "")
set(n 0)
foreach(file IN LISTS SQL)
    math(EXPR n "${n} + 1")
    get_filename_component(name ${file} NAME)
    if(NOT name MATCHES "^0*${n}-")
        message(FATAL_ERROR "schema step ${n} is called ${name}")
    endif()
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    string(APPEND body "\n/* ${name} */\nstatic const char step_${n}[] = {\n${hex}0x00\n};\n")
    string(APPEND table "\tstep_${n},\n")
endforeach()
string(APPEND body "
static const char *const steps[] = {
${table}};

const char *
store_schema_step(unsigned int version)
{
	return version >= 1 && version <= STORE_SCHEMA_STEPS ?
	    steps[version - 1] : NULL;
}

_Static_assert(sizeof(steps) / sizeof(steps[0]) == STORE_SCHEMA_STEPS,
    \"common/CMakeLists.txt lists other steps than store_private.h counts\");
")
file(WRITE ${OUT} "${body}")
