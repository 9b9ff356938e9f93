# cmake -DSOURCE=FOLDER -DOUT=FILE -P commit.cmake: writes a C++ source that defines kCommit of base/version.h.
# A file that says so already stays untouched, so that nothing is built again.
cmake_minimum_required(VERSION 3.25)
set(commit unknown)
find_program(git git)
if(git)
  cmake_path(GET SOURCE PARENT_PATH above)
  set(ENV{GIT_CEILING_DIRECTORIES} ${above})  # a repository around an unpacked archive is not ours
  execute_process(COMMAND ${git} describe --always --dirty --abbrev=7 --exclude=* WORKING_DIRECTORY ${SOURCE}
    OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(commit ${answer})
  endif()
endif()
set(text "#include \"base/version.h\"\n\nconst char* const r2pac::kCommit = \"${commit}\";\n")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUT} "${text}")
endif()
