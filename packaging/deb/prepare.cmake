# Run by cpack between installing into a folder of its own and packing that: what Debian's policy wants otherwise than
# `cmake --install` does it.
if(NOT CPACK_GENERATOR STREQUAL DEB)
  return()
endif()
set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr)
set(documents ${usr}/share/doc/spillway)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The licence stands in a file of Debian's form.
file(REMOVE ${documents}/LICENSE)
file(COPY ${CPACK_SPILLWAY_DEB}/copyright DESTINATION ${documents})

# The upstream's changelog and the package's.
file(RENAME ${documents}/CHANGELOG.md ${documents}/changelog)
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)  # of $SOURCE_DATE_EPOCH, where that is set
configure_file(${CPACK_SPILLWAY_DEB}/changelog.in ${documents}/changelog.Debian @ONLY)
run(gzip -9n ${documents}/changelog ${documents}/changelog.Debian)

# Compressed pages, and a link that leads to one.
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

# Where Debian's zsh looks for what packages bring.
file(RENAME ${usr}/share/zsh/site-functions ${usr}/share/zsh/vendor-completions)

# A package's scripts run with the system's Python.
file(GLOB scripts ${usr}/share/spillway/plots/*.py ${usr}/share/spillway/experiments/validate)
run(sed -i "1s|^#!/usr/bin/env python3$|#!/usr/bin/python3|" ${scripts})
