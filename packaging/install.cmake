# Rules of `cmake --install`, the target `uninstall`, and packages.

# The folders that an installation makes are noted before it begins, so that `uninstall` leaves all others.
if(PROJECT_IS_TOP_LEVEL)
  set(installed ${PROJECT_BINARY_DIR}/installed-files.txt)
  set(made_folders ${PROJECT_BINARY_DIR}/installed-folders.txt)
  install(CODE "
    set(prefix \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
    if(NOT prefix MATCHES /_CPack_Packages/)
      foreach(place \"${CMAKE_INSTALL_BINDIR}\" \"${CMAKE_INSTALL_MANDIR}/man1\" \"${CMAKE_INSTALL_DOCDIR}\"
          \"${CMAKE_INSTALL_DATADIR}/bash-completion/completions\" \"${CMAKE_INSTALL_DATADIR}/zsh/site-functions\"
          \"${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d\")
        set(folder \"\${prefix}/\${place}\")
        while(NOT EXISTS \"\${folder}\")
          file(APPEND \"${made_folders}\" \"\${folder}\\n\")
          if(folder STREQUAL prefix)
            break()
          endif()
          get_filename_component(folder \"\${folder}\" DIRECTORY)
        endwhile()
      endforeach()
    endif()")
endif()

# The program writes its own manual pages and completions, from its help.
set(made ${PROJECT_BINARY_DIR}/from-help)
if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(WARNING "The program cannot run here, so its manual pages and completions are not made; "
    "set CMAKE_CROSSCOMPILING_EMULATOR to have them")
else()
  set(completions ${made}/spillway.bash ${made}/_spillway ${made}/spillway.fish)
  add_custom_command(OUTPUT ${made}/man.stamp ${completions}
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${made}
    COMMAND spillway man --date ${SPILLWAY_DATE} -o ${made}/man1
    COMMAND spillway completions bash > ${made}/spillway.bash
    COMMAND spillway completions zsh > ${made}/_spillway
    COMMAND spillway completions fish > ${made}/spillway.fish
    COMMAND ${CMAKE_COMMAND} -E create_symlink spillway ${made}/replay
    COMMAND ${CMAKE_COMMAND} -E create_symlink spillway.fish ${made}/replay.fish
    COMMAND ${CMAKE_COMMAND} -E touch ${made}/man.stamp
    DEPENDS spillway
    COMMENT "Making manual pages and completions"
    VERBATIM)
  add_custom_target(spillway_from_help ALL DEPENDS ${made}/man.stamp)
  install(DIRECTORY ${made}/man1/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  # bash and fish look for a file with the name of the command to complete.
  set(bash_completions ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${made}/spillway.bash DESTINATION ${bash_completions} RENAME spillway)
  install(FILES ${made}/replay DESTINATION ${bash_completions})
  install(FILES ${made}/_spillway DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${made}/spillway.fish ${made}/replay.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

install(TARGETS spillway RUNTIME)
install(FILES $<TARGET_FILE_DIR:spillway>/replay DESTINATION ${CMAKE_INSTALL_BINDIR})

# The folders keep their relative places, because a question refers to {here}/../../bundled.
set(data ${CMAKE_INSTALL_DATADIR}/spillway)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/share/presets ${PROJECT_SOURCE_DIR}/share/schema DESTINATION ${data})
# For the plots, and for other programs that draw.
install(FILES ${PROJECT_SOURCE_DIR}/share/figures.json DESTINATION ${data})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/plots DESTINATION ${data}
  USE_SOURCE_PERMISSIONS FILES_MATCHING PATTERN "*.py" PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/experiments DESTINATION ${data} USE_SOURCE_PERMISSIONS)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/bundled DESTINATION ${data}
  PATTERN "training" EXCLUDE PATTERN "record-trace" EXCLUDE)

install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE
  ${PROJECT_SOURCE_DIR}/CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")

if(PROJECT_IS_TOP_LEVEL)
  # CMake's own manifest lists the last installation only, and cpack overwrites it with the paths inside a
  # package. This list has all files that were installed from this build tree.
  install(CODE "
    if(NOT \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\" MATCHES /_CPack_Packages/)
      set(files)
      if(EXISTS \"${installed}\")
        file(STRINGS \"${installed}\" files)
      endif()
      foreach(file IN LISTS CMAKE_INSTALL_MANIFEST_FILES)
        list(APPEND files \"\$ENV{DESTDIR}\${file}\")
      endforeach()
      list(REMOVE_DUPLICATES files)
      list(JOIN files \"\\n\" files)
      file(WRITE \"${installed}\" \"\${files}\\n\")
    endif()")
  add_custom_target(uninstall
    COMMAND ${CMAKE_COMMAND} -DINSTALLED=${installed} -DMADE_FOLDERS=${made_folders} -P ${CMAKE_CURRENT_LIST_DIR}/uninstall.cmake
    COMMENT "Removing what was installed" VERBATIM)
  include(${CMAKE_CURRENT_LIST_DIR}/packages.cmake)
endif()
