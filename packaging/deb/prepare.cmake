# cpack runs this script between installing into a staging folder and packing that folder. The script adds
# what Debian's policy requires beyond an installation.
if(NOT CPACK_GENERATOR STREQUAL DEB)
  return()
endif()
set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr)
set(documents ${usr}/share/doc/spillway)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Debian keeps all licences of a package in one file with a form of its own.
file(REMOVE ${documents}/LICENSE)
file(COPY ${CPACK_SPILLWAY_DEB}/copyright DESTINATION ${documents})

# One changelog has the changes in the sources, the other the changes in the package.
file(RENAME ${documents}/CHANGELOG.md ${documents}/changelog)
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)  # honours $SOURCE_DATE_EPOCH
configure_file(${CPACK_SPILLWAY_DEB}/changelog.in ${documents}/changelog.Debian @ONLY)
run(gzip -9n ${documents}/changelog ${documents}/changelog.Debian)

# Manual pages are compressed, and links lead to the compressed pages.
file(GLOB pages ${usr}/share/man/man1/*.1)
foreach(page IN LISTS pages)
  if(IS_SYMLINK ${page})
    file(READ_SYMLINK ${page} target)
    file(REMOVE ${page})
    file(CREATE_LINK ${target}.gz ${page}.gz SYMBOLIC)
  else()
    run(gzip -9n ${page})
  endif()
endforeach()

# Debian's zsh looks for the completions of packages in a folder of its own.
file(RENAME ${usr}/share/zsh/site-functions ${usr}/share/zsh/vendor-completions)

# The scripts of a package run with the system's Python.
file(GLOB scripts ${usr}/share/spillway/plots/*.py ${usr}/share/spillway/experiments/validate)
run(sed -i "1s|^#!/usr/bin/env python3$|#!/usr/bin/python3|" ${scripts})
