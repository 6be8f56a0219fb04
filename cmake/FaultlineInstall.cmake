# SPDX-License-Identifier: GPL-2.0-or-later
# What `cmake --install` puts under the prefix: program, man pages, library for other programs.
include(CMakePackageConfigHelpers)

install(TARGETS faultline_exe RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS faultline_shared EXPORT faultlineTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT faultlineTargets NAMESPACE faultline::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/faultline)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/faultline DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# Sweeps on many machines: thin adapters over --shard and --resume.
install(PROGRAMS ${CMAKE_SOURCE_DIR}/replay/cluster/faultline-mpi DESTINATION ${CMAKE_INSTALL_BINDIR})
install(PROGRAMS ${CMAKE_SOURCE_DIR}/replay/cluster/sweep.sbatch
        DESTINATION ${CMAKE_INSTALL_DATADIR}/faultline/slurm)

# Man pages are what the built program says of its own commands.
set(man_dir ${CMAKE_BINARY_DIR}/share/man/man1)
set(man_stamp ${man_dir}/.stamp)
add_custom_command(
  OUTPUT ${man_stamp}
  COMMAND ${CMAKE_COMMAND} -DFAULTLINE=$<TARGET_FILE:faultline_exe> -DMAN_DIR=${man_dir}
          -P ${CMAKE_SOURCE_DIR}/cmake/ManPages.cmake
  COMMAND ${CMAKE_COMMAND} -E touch ${man_stamp}
  DEPENDS faultline_exe ${CMAKE_SOURCE_DIR}/cmake/ManPages.cmake
  COMMENT "Writing man pages")
add_custom_target(faultline_man ALL DEPENDS ${man_stamp})
install(DIRECTORY ${man_dir}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")

# pkg-config and find_package(faultline)
file(RELATIVE_PATH up_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_SOURCE_DIR}/cmake/libfaultline.pc.in ${CMAKE_BINARY_DIR}/libfaultline.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/libfaultline.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/faultlineConfig.cmake.in
  ${CMAKE_BINARY_DIR}/faultlineConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/faultline)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/faultlineConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/faultlineConfig.cmake ${CMAKE_BINARY_DIR}/faultlineConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/faultline)
