# SPDX-License-Identifier: GPL-2.0-or-later
# Every outside library, each with the Debian package that has it.
find_package(PkgConfig REQUIRED)

# faultline_require(<target> <pkg-config module> <Debian package>): imported target, or stop.
function(faultline_require target module package)
  pkg_check_modules(${target} QUIET IMPORTED_TARGET ${module})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "faultline needs ${module}: apt-get install ${package}")
  endif()
  message(STATUS "${module} ${${target}_VERSION}")
endfunction()

faultline_require(ZSTD libzstd libzstd-dev)
faultline_require(XXHASH libxxhash libxxhash-dev)
faultline_require(NETTLE nettle nettle-dev)
faultline_require(JANSSON jansson libjansson-dev)
faultline_require(LIBELF libelf libelf-dev)
faultline_require(LIBBPF libbpf libbpf-dev)
faultline_require(LIBXML2 libxml-2.0 libxml2-dev)

# Header-only here: the program needs no library of it.
faultline_require(TOMLPLUSPLUS tomlplusplus libtomlplusplus-dev)

find_package(Threads REQUIRED)

# libpfm4 ships no .pc file.
find_path(PFM_INCLUDE_DIR perfmon/pfmlib_perf_event.h)
find_library(PFM_LIBRARY pfm)
if(NOT PFM_INCLUDE_DIR OR NOT PFM_LIBRARY)
  message(FATAL_ERROR "faultline needs libpfm4: apt-get install libpfm4-dev")
endif()
add_library(PFM4 INTERFACE)
target_include_directories(PFM4 INTERFACE ${PFM_INCLUDE_DIR})
target_link_libraries(PFM4 INTERFACE ${PFM_LIBRARY})

if(FAULTLINE_TRACER)
  find_path(VALGRIND_INCLUDE_DIR valgrind/pub_tool_tooliface.h)
  find_library(VALGRIND_COREGRIND coregrind-amd64-linux
               PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/valgrind /usr/lib/valgrind
               NO_DEFAULT_PATH)
  if(NOT VALGRIND_INCLUDE_DIR OR NOT VALGRIND_COREGRIND)
    message(FATAL_ERROR "faultline's exact tracer needs Valgrind's headers and libraries: "
            "apt-get install valgrind (or configure with -DFAULTLINE_TRACER=OFF)")
  endif()
endif()

find_program(GNUPLOT gnuplot)
if(NOT GNUPLOT)
  message(WARNING "gnuplot not found: reports will have no charts; apt-get install gnuplot-nox")
endif()

if(FAULTLINE_TESTS)
  faultline_require(CMOCKA cmocka libcmocka-dev)
endif()
