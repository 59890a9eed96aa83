# Functions that every folder's CMakeLists.txt uses, so that a library, a plugin and a test are each one call.

include_guard(GLOBAL)

add_library(penstock_options INTERFACE)
target_include_directories(penstock_options INTERFACE ${CMAKE_SOURCE_DIR})
# Sections of their own, so that artifacts are linked of what they call alone.
target_compile_options(penstock_options INTERFACE -Wall -Wextra -Wno-missing-field-initializers -ffunction-sections -fdata-sections
                       $<$<COMPILE_LANGUAGE:CXX>:-fno-math-errno>)
if(PENSTOCK_SANITIZE)
  target_compile_options(penstock_options INTERFACE -fsanitize=${PENSTOCK_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(penstock_options INTERFACE -fsanitize=${PENSTOCK_SANITIZE})
endif()

# penstock_library(NAME SOURCES a.cpp ... [LINK lib ...]): a static library of the project.
function(penstock_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC penstock_options ${ARG_LINK})
endfunction()

# penstock_small(a.cpp ...): what runs once at a start, and whose size is that of every artifact.
function(penstock_small)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -Os)
endfunction()

# penstock_subfolders(): every folder below this one that has a CMakeLists.txt.
function(penstock_subfolders)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
  foreach(file IN LISTS files)
    get_filename_component(folder ${file} DIRECTORY)
    add_subdirectory(${folder})
  endforeach()
endfunction()

# penstock_plugin(NAME SOURCES a.cpp ...): the shared library of one plugin folder, put with its plugin.toml into
# build/plugins/NAME, which is where the host looks.
function(penstock_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(penstock_plugin_${name} MODULE ${ARG_SOURCES})
  target_link_libraries(penstock_plugin_${name} PRIVATE penstock_options ${ARG_LINK})
  # Its objects are those of artifacts, too, where each plugin has a name of its own.
  target_compile_definitions(penstock_plugin_${name} PRIVATE penstock_plugin=penstock_plugin_${name})
  target_link_options(penstock_plugin_${name} PRIVATE LINKER:--defsym=penstock_plugin=penstock_plugin_${name})
  set_target_properties(penstock_plugin_${name} PROPERTIES
    PREFIX "lib" OUTPUT_NAME ${name} CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins/${name})
  configure_file(plugin.toml ${CMAKE_BINARY_DIR}/plugins/${name}/plugin.toml COPYONLY)
  install(TARGETS penstock_plugin_${name} LIBRARY DESTINATION lib/penstock/plugins/${name})
  install(FILES plugin.toml DESTINATION lib/penstock/plugins/${name})
  file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/plugin.toml brings REGEX "^brings_libraries *= *true")
  if(brings) # its objects are of no use without them
    set_property(GLOBAL APPEND PROPERTY PENSTOCK_PLUGINS_ALONE penstock_plugin_${name})
  else()
    set_property(GLOBAL APPEND PROPERTY PENSTOCK_PLUGINS penstock_plugin_${name})
  endif()
endfunction()

# penstock_test(NAME SOURCES a.cpp ... [LINK lib ...] [LABELS slow]): one GoogleTest program.
function(penstock_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE penstock_options ${ARG_LINK} GTest::gtest GTest::gtest_main Threads::Threads)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 600
    ENVIRONMENT "PENSTOCK_BUILD=${CMAKE_BINARY_DIR};PENSTOCK_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()

# penstock_command_test(NAME script.py [PARTS A B ...] [DEVICE A ...] [ARGUMENTS ...] [TIMEOUT seconds] [LABELS slow]): a Python test of
# the command, or one for each part, NAME.part; it needs the compiler to train. The parts behind DEVICE (ALL: all) run on the test device as
# well, as device.NAME.part (docs/design/device.md).
function(penstock_command_test name script)
  cmake_parse_arguments(ARG "" "TIMEOUT" "PARTS;ARGUMENTS;LABELS;DEVICE" ${ARGN})
  if(NOT PENSTOCK_COMPILER OR NOT TARGET penstock)
    return()
  endif()
  find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
  set(tests ${name})
  if(ARG_PARTS)
    list(TRANSFORM ARG_PARTS TOLOWER OUTPUT_VARIABLE tests)
    list(TRANSFORM tests PREPEND ${name}.)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  foreach(test part IN ZIP_LISTS tests ARG_PARTS)
    add_test(NAME ${test}
             COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${part} ${ARG_ARGUMENTS})
    set_tests_properties(${test} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
    if("${ARG_DEVICE}" STREQUAL "ALL" OR (part AND "${part}" IN_LIST ARG_DEVICE))
      add_test(NAME device.${test}
               COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${part} ${ARG_ARGUMENTS})
      set_tests_properties(device.${test} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}" ENVIRONMENT PENSTOCK_TEST_DEVICE=1)
    endif()
  endforeach()
endfunction()
