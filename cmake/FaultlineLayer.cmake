# SPDX-License-Identifier: GPL-2.0-or-later
# One library a folder. A layer sees include/ and its own directory, nothing else;
# tests/layering.sh checks that no private header crosses a folder.

add_library(faultline_options INTERFACE)
target_compile_definitions(faultline_options INTERFACE _GNU_SOURCE)
target_compile_options(faultline_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wvla $<$<BOOL:${FAULTLINE_WERROR}>:-Werror>)
target_include_directories(faultline_options INTERFACE ${CMAKE_SOURCE_DIR}/include)

set_property(GLOBAL PROPERTY FAULTLINE_LAYERS "")
set_property(GLOBAL PROPERTY FAULTLINE_LAYER_DEPS "")
set_property(GLOBAL PROPERTY FAULTLINE_COMMAND_LAYERS "")

# faultline_layer(<name> SOURCES <engine .c...> [COMMANDS <cmd_*.c...>] [DEPENDS <outside libs...>])
# Engine sources become part of libfaultline; commands only of the executable.
function(faultline_layer name)
  cmake_parse_arguments(L "" "" "SOURCES;COMMANDS;DEPENDS" ${ARGN})
  if(L_SOURCES)
    add_library(fl_${name} OBJECT ${L_SOURCES})
    target_link_libraries(fl_${name} PRIVATE faultline_options ${L_DEPENDS})
    target_include_directories(fl_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    set_property(GLOBAL APPEND PROPERTY FAULTLINE_LAYERS fl_${name})
    set_property(GLOBAL APPEND PROPERTY FAULTLINE_LAYER_DEPS ${L_DEPENDS})
  endif()
  if(L_COMMANDS)
    add_library(fl_${name}_cmds OBJECT ${L_COMMANDS})
    target_link_libraries(fl_${name}_cmds PRIVATE faultline_options ${L_DEPENDS})
    target_include_directories(fl_${name}_cmds PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    set_property(GLOBAL APPEND PROPERTY FAULTLINE_COMMAND_LAYERS fl_${name}_cmds)
  endif()
endfunction()
