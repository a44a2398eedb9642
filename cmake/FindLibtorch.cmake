# SPDX-License-Identifier: Apache-2.0
# Finds libtorch as the PyPI wheel unpacked in HETEROSIS_DEPS/torch and defines libtorch::cpu (libtorch_cpu and libc10).
# CUDA is not linked: the worker loads libtorch_cuda.so at run time (worker/device), so one binary serves both.
set(_torch "${HETEROSIS_DEPS}/torch/torch")
find_library(LIBTORCH_CPU torch_cpu PATHS "${_torch}/lib" NO_DEFAULT_PATH)
find_library(LIBTORCH_C10 c10 PATHS "${_torch}/lib" NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libtorch REQUIRED_VARS LIBTORCH_CPU LIBTORCH_C10
  REASON_FAILURE_MESSAGE "no libtorch in ${HETEROSIS_DEPS}: run deploy/deps/install first")
if(Libtorch_FOUND AND NOT TARGET libtorch::cpu)
  add_library(libtorch::cpu INTERFACE IMPORTED)
  # -idirafter: the wheel carries an old google/protobuf that must not shadow Debian's.
  target_compile_options(libtorch::cpu INTERFACE -idirafter "${_torch}/include" -Wno-shadow -Wno-unused-parameter)
  # By name, not by path: CMake would warn for each program that the libgomp of the wheel and that of GCC have one name
  # (either serves; the rpath below takes the wheel's).
  target_link_libraries(libtorch::cpu INTERFACE "-L${_torch}/lib" -ltorch_cpu -lc10)
  # libtorch_cpu.so finds libcudart and libcupti next to it only through these folders.
  set(_nvidia "${HETEROSIS_DEPS}/torch/nvidia/cu13/lib")
  target_link_options(libtorch::cpu INTERFACE
    "-Wl,-rpath,${_torch}/lib:${_nvidia}" "-Wl,-rpath-link,${_torch}/lib:${_nvidia}")
endif()
