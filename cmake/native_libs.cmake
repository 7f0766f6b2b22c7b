# Sets `out` to the system libraries that a Rust static library needs, as rustc tells of an empty
# one, without "-l". The C library and the compiler's own are left out: every C compiler adds them,
# and it alone knows which of the latter fit a fully static program.
function(spsc_shm_native_libs out)
    set(empty "${CMAKE_CURRENT_BINARY_DIR}/empty.rs")
    file(WRITE "${empty}" "")
    execute_process(
        COMMAND "${SPSC_SHM_RUSTC}" ${target_option} --crate-type staticlib
                --print native-static-libs
                -o "${CMAKE_CURRENT_BINARY_DIR}/libempty.a" "${empty}"
        WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
        ERROR_VARIABLE said
        COMMAND_ERROR_IS_FATAL ANY)
    if(NOT said MATCHES "native-static-libs: ([^\n]*)")
        message(FATAL_ERROR "rustc names no native-static-libs:\n${said}")
    endif()
    string(REGEX MATCHALL "-l[^ ]+" libs "${CMAKE_MATCH_1}")
    list(TRANSFORM libs REPLACE "^-l" "")
    list(FILTER libs EXCLUDE REGEX "^(c|gcc|gcc_s|gcc_eh)$")
    list(REMOVE_DUPLICATES libs)
    set(${out} "${libs}" PARENT_SCOPE)
endfunction()
