# Installs BUILD into a prefix below SCRATCH, moves the prefix, checks that the program finds its own files there, and
# uninstalls.
cmake_minimum_required(VERSION 3.25)
set(ENV{DESTDIR} "")
set(installed ${BUILD}/installed-files.txt)
set(made_folders ${BUILD}/installed-folders.txt)
# Brackets and stars are no patterns in a path.
set(prefix "${SCRATCH}/prefix[1]*")
file(REMOVE_RECURSE ${SCRATCH})

# The list of a real installation from this build tree is still wanted.
file(MAKE_DIRECTORY ${SCRATCH})
foreach(list ${installed} ${made_folders})
  if(EXISTS ${list})
    get_filename_component(name ${list} NAME)
    file(RENAME ${list} ${SCRATCH}/${name})
  endif()
endforeach()
# Folders that are there before the installation.
file(MAKE_DIRECTORY ${prefix}/bin ${prefix}/mine)

execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

# A moved installation finds its own files, and no others.
file(RENAME ${prefix} ${SCRATCH}/moved)
file(RENAME ${SCRATCH}/moved/share/spillway/presets/drives/sata.json
  ${SCRATCH}/moved/share/spillway/presets/drives/only-here.json)
execute_process(COMMAND ${SCRATCH}/moved/bin/spillway complete -- simulate --device s OUTPUT_VARIABLE none
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${SCRATCH}/moved/bin/spillway complete -- simulate --device only OUTPUT_VARIABLE one
  COMMAND_ERROR_IS_FATAL ANY)
if(none MATCHES sata)
  message(FATAL_ERROR "a preset was found that is not installed: ${none}")
endif()
if(NOT one MATCHES "^only-here")
  message(FATAL_ERROR "the installed presets were not found: ${one}")
endif()
execute_process(COMMAND ${SCRATCH}/moved/bin/replay --help OUTPUT_VARIABLE help COMMAND_ERROR_IS_FATAL ANY)
if(NOT help MATCHES "spillway replay")
  message(FATAL_ERROR "bin/replay is not the main job: ${help}")
endif()
execute_process(COMMAND ${SCRATCH}/moved/bin/spillway sweep -o ${SCRATCH}/results --dry-run
  ${SCRATCH}/moved/share/spillway/experiments/questions/04-eviction.json OUTPUT_VARIABLE commands
  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "[^ ]*/tiny-moe.trace.bin" trace "${commands}")
if(NOT trace OR NOT EXISTS ${trace})
  message(FATAL_ERROR "a question's trace is not where it looks for it: '${trace}' in ${commands}")
endif()
file(RENAME ${SCRATCH}/moved/share/spillway/presets/drives/only-here.json
  ${SCRATCH}/moved/share/spillway/presets/drives/sata.json)
file(RENAME ${SCRATCH}/moved ${prefix})

foreach(wanted share/man/man1/spillway.1 share/man/man1/replay.1 share/man/man1/spillway-trace-synth.1
    share/bash-completion/completions/replay share/zsh/site-functions/_spillway
    share/fish/vendor_completions.d/replay.fish share/spillway/bundled/tiny-moe.trace.bin
    share/spillway/experiments/questions/04-eviction.json share/doc/spillway/docs/LICENSING.md)
  if(NOT EXISTS ${prefix}/${wanted})
    message(FATAL_ERROR "${wanted} was not installed")
  endif()
endforeach()

# A file of another program stays.
file(WRITE ${prefix}/share/man/man1/other.1 "of another program\n")
execute_process(COMMAND ${CMAKE_COMMAND} -DINSTALLED=${installed} -DMADE_FOLDERS=${made_folders} -P ${SOURCE}/packaging/uninstall.cmake
  OUTPUT_QUIET ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${prefix} ${SCRATCH}/left)
file(GLOB_RECURSE left RELATIVE ${SCRATCH}/left LIST_DIRECTORIES true ${SCRATCH}/left/*)
if(NOT left STREQUAL "bin;mine;share;share/man;share/man/man1;share/man/man1/other.1")
  message(FATAL_ERROR "uninstall left: ${left}")
endif()

foreach(list ${installed} ${made_folders})
  get_filename_component(name ${list} NAME)
  if(EXISTS ${SCRATCH}/${name})
    file(RENAME ${SCRATCH}/${name} ${list})
  endif()
endforeach()
file(REMOVE_RECURSE ${SCRATCH})
