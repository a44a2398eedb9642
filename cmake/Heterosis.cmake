# SPDX-License-Identifier: Apache-2.0
# Compiler settings, third-party packages and the functions that the folders' CMakeLists.txt use.
include(GNUInstallDirs)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()

# The settings of every target of ours. No contraction: a*b+c must round the same on every CPU (DESIGN.md invariant 4).
add_library(heterosis_options INTERFACE)
target_compile_options(heterosis_options INTERFACE
  # GCC 12 reports std::string concatenations falsely as -Wrestrict (its bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -ffp-contract=off -fno-math-errno
  -fstack-protector-strong $<$<CXX_COMPILER_ID:GNU>:-fstack-clash-protection>
  $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
target_compile_definitions(heterosis_options INTERFACE _GLIBCXX_ASSERTIONS)
target_include_directories(heterosis_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_link_options(heterosis_options INTERFACE -Wl,-z,relro,-z,now)
if(HETEROSIS_SANITIZE)
  set(HETEROSIS_SANITIZE_OPTIONS -fsanitize=${HETEROSIS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_compile_options(heterosis_options INTERFACE ${HETEROSIS_SANITIZE_OPTIONS})
  target_link_options(heterosis_options INTERFACE -fsanitize=${HETEROSIS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND HETEROSIS_SANITIZE MATCHES undefined)
    target_link_options(heterosis_options INTERFACE -static-libubsan)  # the shared one beside AddressSanitizer's heeds no log_path
  endif()
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
pkg_check_modules(grpcpp REQUIRED IMPORTED_TARGET grpc++)
find_package(absl REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
find_library(FASTTEXT_LIBRARY fasttext REQUIRED)
find_library(LAPACKE_LIBRARY lapacke REQUIRED)
find_library(OPENBLAS_LIBRARY openblas REQUIRED)
if(HETEROSIS_WORKER)
  find_package(Libtorch REQUIRED)
endif()

# heterosis_library(NAME SOURCES... [DEPS targets...] [PRIVATE_DEPS targets...]): the static library of one folder; DEPS are public.
function(heterosis_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC heterosis_options ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
endfunction()

# heterosis_repetitions(VARIABLE COUNT LEAST): HETEROSIS_TEST_SHARE percent of a test's COUNT repetitions, LEAST at the fewest. What is
# one of a test's own program is Repetitions of tests/support/repetitions.h.
function(heterosis_repetitions variable count least)
  math(EXPR _share "${count} * ${HETEROSIS_TEST_SHARE} / 100")
  if(_share LESS least)
    set(_share ${least})
  endif()
  set(${variable} ${_share} PARENT_SCOPE)
endfunction()

# heterosis_test(NAME SOURCES... [DEPS targets...] [LABELS labels...] [TIMEOUT seconds]): a GoogleTest program, run by ctest as one test.
function(heterosis_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE heterosis_options heterosis_test_support ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(HETEROSIS_SANITIZE)
    math(EXPR ARG_TIMEOUT "4 * ${ARG_TIMEOUT}")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}"
    ENVIRONMENT "OMP_WAIT_POLICY=PASSIVE;HETEROSIS_DEPS=${HETEROSIS_DEPS};HETEROSIS_TEST_SHARE=${HETEROSIS_TEST_SHARE}")
endfunction()

# heterosis_bench(NAME SOURCES... [DEPS targets...]): a benchmark program; never a test (timings do not pass or fail).
function(heterosis_bench name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE heterosis_options ${ARG_DEPS})
endfunction()
