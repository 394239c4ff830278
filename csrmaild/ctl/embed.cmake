# cmake -D OUT=FILE.c -D ROOT=DIR -D FILES="a;b" -D HEADER=FILE.h -D TYPE=NAME
#     -P embed.cmake
# Writes C that holds the files: the table NAMEs of struct NAME, which the
# header declares.
set(text "#include \"${HEADER}\"\n\n")
set(table "")
set(n 0)
foreach(file IN LISTS FILES)
    file(READ ${ROOT}/${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," octets "${hex}")
    string(APPEND text "static const uint8_t file_${n}[] = { ${octets} };\n")
    string(APPEND table
        "\t{ \"${file}\", file_${n}, sizeof(file_${n}) },\n")
    math(EXPR n "${n} + 1")
endforeach()
string(APPEND text "const struct ${TYPE} ${TYPE}s[] = {\n"
    "${table}\t{ 0 }\n};\n")
file(WRITE ${OUT} "${text}")
