// What libpenstock_compiler.so offers to the driver. The two are built together, so C++ types may
// cross.
#pragma once

#include "compiler/driver/compile.h"

#include <string>

namespace penstock {

struct BackendRequest {
  const frontend::TypedPipeline *pipeline = nullptr;
  std::string level;
  std::string output; // path of the library to write; "" when only a stage is wanted
  std::string object; // path of an object file with the same code; "" makes none
  std::string suffix; // of the names in it (emit.h)
  std::string stage;  // stage whose text is wanted; "" when only the library is
  const BuildHead *buildHead = nullptr;
  bool predicts = false; // the program only predicts
  bool emulated = false; // code of a device is that of the emulated one
  bool profile = false;  // say in the program's table what every step does
  bool timed = false;    // put a line about every step into `text`
};

struct BackendResult {
  Status status;
  std::string text;
};

using BackendFunction = void(const BackendRequest *request, BackendResult *result);
inline constexpr const char *backendFunctionName = "penstock_backend_compile";

} // namespace penstock
