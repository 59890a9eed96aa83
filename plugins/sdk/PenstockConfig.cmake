# Penstock::plugin_sdk (headers), and a function that builds a plugin of the current folder.
include(${CMAKE_CURRENT_LIST_DIR}/PenstockTargets.cmake)

# penstock_plugin(NAME SOURCES a.cpp ... [LINK lib ...]): lib<NAME>.so with the folder's plugin.toml in
# <build>/plugins/NAME; hand <build>/plugins to `penstock --plugins`, to PENSTOCK_PLUGINS or to `use ... from`.
function(penstock_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  set(folder ${CMAKE_BINARY_DIR}/plugins/${name})
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE Penstock::plugin_sdk ${ARG_LINK})
  set_target_properties(${name} PROPERTIES PREFIX lib OUTPUT_NAME ${name} CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON LIBRARY_OUTPUT_DIRECTORY ${folder})
  configure_file(${CMAKE_CURRENT_SOURCE_DIR}/plugin.toml ${folder}/plugin.toml COPYONLY)
endfunction()
