# find_package(r2pac): r2pac::r2pac is the shared library, r2pac::static the other one.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/r2pacTargets.cmake)
