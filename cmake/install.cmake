# What goes where under the prefix, and the target that takes it away again.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/spsc_shm")
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
set(generated_dir "${CMAKE_CURRENT_BINARY_DIR}/install")

# Uninstall has to know the directories that were not there before.
set(destinations "${CMAKE_INSTALL_INCLUDEDIR}" "${package_dir}" "${pkgconfig_dir}")
configure_file(cmake/note_directories.cmake.in "${generated_dir}/note_directories.cmake" @ONLY)
install(SCRIPT "${generated_dir}/note_directories.cmake")

file(GLOB headers CONFIGURE_DEPENDS include/*.h include/*.hpp)
install(FILES ${headers} TYPE INCLUDE)

set(real_name libspsc_shm.so.${PROJECT_VERSION})
file(MAKE_DIRECTORY "${generated_dir}")
file(CREATE_LINK ${real_name} "${generated_dir}/${soname}" SYMBOLIC)
file(CREATE_LINK ${soname} "${generated_dir}/libspsc_shm.so" SYMBOLIC)
install(FILES "${built_dir}/libspsc_shm.so" RENAME ${real_name} TYPE LIB)
install(FILES "${generated_dir}/${soname}" "${generated_dir}/libspsc_shm.so" TYPE LIB)
install(FILES "${built_dir}/libspsc_shm.a" TYPE LIB)

# Every path in the package's files is told from where the file itself lies, so that the tree may be
# moved.
set(full_pkgconfig_dir "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH pc_prefix "${full_pkgconfig_dir}" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
file(RELATIVE_PATH pc_libdir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH pc_includedir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
list(TRANSFORM native_libs PREPEND "-l" OUTPUT_VARIABLE pc_private_libs)
list(JOIN pc_private_libs " " pc_private_libs)
configure_file(cmake/spsc_shm.pc.in "${generated_dir}/spsc_shm.pc" @ONLY)
install(FILES "${generated_dir}/spsc_shm.pc" DESTINATION "${pkgconfig_dir}")

configure_package_config_file(cmake/spsc_shm-config.cmake.in
    "${generated_dir}/spsc_shm-config.cmake"
    INSTALL_DESTINATION "${package_dir}"
    PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR
    NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${generated_dir}/spsc_shm-config-version.cmake"
    COMPATIBILITY SameMajorVersion)
install(FILES "${generated_dir}/spsc_shm-config.cmake"
              "${generated_dir}/spsc_shm-config-version.cmake"
        DESTINATION "${package_dir}")

if(PROJECT_IS_TOP_LEVEL)
    add_custom_target(uninstall
        COMMAND "${CMAKE_COMMAND}" -P "${CMAKE_CURRENT_SOURCE_DIR}/cmake/uninstall.cmake"
        WORKING_DIRECTORY "${CMAKE_BINARY_DIR}"
        COMMENT "Uninstalling spsc_shm"
        VERBATIM)
endif()
