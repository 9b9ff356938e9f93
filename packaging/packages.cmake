# What CPack makes of the installed files: packaging/packages.sh calls it.
option(R2PAC_BUNDLE "Install beside the program the libraries that it needs, for machines without them" OFF)

# The Python code of `r2pac eval --env` and of `python -m r2pac.collect`: find_above finds it from bin/r2pac.
install(DIRECTORY python/r2pac DESTINATION share/r2pac/python COMPONENT program FILES_MATCHING PATTERN "*.py")
install(FILES LICENSE DESTINATION share/doc/r2pac COMPONENT program RENAME copyright)
install(FILES LICENSE DESTINATION share/doc/libr2pac1 COMPONENT library RENAME copyright)
install(FILES LICENSE DESTINATION share/doc/libr2pac-dev COMPONENT development RENAME copyright)

if(R2PAC_BUNDLE)
  # Also those that are needed by what the program needs: the old kind of path serves them, too.
  set_target_properties(r2pac PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/r2pac")
  target_link_options(r2pac PRIVATE -Wl,--disable-new-dtags)
  # The C library and its parts are the system's.
  install(CODE "set(licences ${PROJECT_SOURCE_DIR}/packaging/licences.py)" COMPONENT program)
  install(CODE [[
    file(GET_RUNTIME_DEPENDENCIES EXECUTABLES $<TARGET_FILE:r2pac> RESOLVED_DEPENDENCIES_VAR libraries
      PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|pthread|rt|resolv)[.]so")
    foreach(library IN LISTS libraries)
      file(INSTALL DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/r2pac TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN FILES ${library})
    endforeach()
    execute_process(COMMAND python3 ${licences} $ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/r2pac
      $ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share/doc/r2pac/libraries COMMAND_ERROR_IS_FATAL ANY)
  ]] COMPONENT program)
endif()

set(CPACK_PACKAGE_NAME r2pac)
set(CPACK_PACKAGE_VENDOR "the R2PAC authors")
set(CPACK_PACKAGE_CONTACT "the R2PAC authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Safe policies from recorded data")
set(CPACK_PACKAGE_DESCRIPTION "Learns from recorded episodes a policy that earns much while its cost stays below a limit.")
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program library development)
set(CPACK_ARCHIVE_FILE_NAME r2pac-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
string(TOLOWER ${CPACK_ARCHIVE_FILE_NAME} CPACK_PACKAGE_FILE_NAME)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME r2pac)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "gnuplot-nox, python3, ffmpeg")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libr2pac1)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libr2pac-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libr2pac1 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
include(CPack)
