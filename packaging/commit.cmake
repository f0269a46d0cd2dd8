# Sets SPILLWAY_COMMIT, which every report contains to show the sources that a figure came from, and
# SPILLWAY_DATE, the day of that commit. A clone asks git. A tarball has the text that `git archive` wrote
# into packaging/commit. Sources inside another project's clone count as a tarball, since that clone's
# commit is not theirs.
set(SPILLWAY_COMMIT unknown)
set(SPILLWAY_DATE "")
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} rev-parse --show-prefix
  RESULT_VARIABLE no_git OUTPUT_VARIABLE inside OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(READ ${CMAKE_CURRENT_LIST_DIR}/commit archived)
if(NOT no_git AND inside STREQUAL "")
  execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE SPILLWAY_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} log -1 --format=%cs
    OUTPUT_VARIABLE SPILLWAY_DATE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
elseif(archived MATCHES "^([0-9a-f]+) ([-0-9]+)")
  set(SPILLWAY_DATE ${CMAKE_MATCH_2})
  string(SUBSTRING ${CMAKE_MATCH_1} 0 12 SPILLWAY_COMMIT)
endif()
if(NOT SPILLWAY_COMMIT)
  set(SPILLWAY_COMMIT unknown)
endif()
if(NOT SPILLWAY_DATE)
  file(TIMESTAMP ${PROJECT_SOURCE_DIR}/CMakeLists.txt SPILLWAY_DATE "%Y-%m-%d" UTC)
endif()
