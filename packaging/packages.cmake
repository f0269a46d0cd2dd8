# `cpack -G DEB` in a build folder makes a Debian package of what `cmake --install` would install; `cpack -G TGZ` makes
# an archive.
set(CPACK_PACKAGE_NAME spillway)
set(CPACK_PACKAGE_VENDOR "The Spillway maintainers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "storage-tiering laboratory for mixture-of-experts models")
set(CPACK_PACKAGE_DESCRIPTION "\
Spillway answers how fast a mixture-of-experts model can decode when its
experts live on an SSD, and where the rest of the time goes. It records which
experts a model's router picks, replays the picks against real storage,
simulates them against modelled storage, and explains the distance between the
speed that the drive's bandwidth allows and the speed that is achieved.
A planner tells what would run on a machine and what to buy.
.
A small model and a trace of its router come with the package, so that
everything works without a download.")
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

# The builder of a package is its maintainer, under the name in $DEBFULLNAME and $DEBEMAIL, as with Debian's
# own tools, or else under the name that git knows.
set(name $ENV{DEBFULLNAME})
set(address $ENV{DEBEMAIL})
if(NOT name)
  execute_process(COMMAND git config user.name
    OUTPUT_VARIABLE name OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT address)
  execute_process(COMMAND git config user.email
    OUTPUT_VARIABLE address OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT name OR NOT address)
  set(name "Unknown builder")
  set(address "root@localhost")
endif()
set(SPILLWAY_PACKAGER "${name} <${address}>" CACHE STRING "Maintainer of the packages that are built here: NAME <ADDRESS>")
set(CPACK_PACKAGE_CONTACT ${SPILLWAY_PACKAGER})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "python3, python3-matplotlib")  # for plots
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/deb/prepare.cmake)

# deb/prepare.cmake reads these variables.
set(CPACK_SPILLWAY_DATE ${SPILLWAY_DATE})
set(CPACK_SPILLWAY_COMMIT ${SPILLWAY_COMMIT})
set(CPACK_SPILLWAY_DEB ${CMAKE_CURRENT_LIST_DIR}/deb)
include(CPack)
