// A folder for one test, removed afterwards.
#pragma once

#include "runtime/base/file.h"
#include "runtime/base/folder.h"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace penstock {

class Scratch {
public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "penstock-test-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  ~Scratch() { (void)removeAll(folder); }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  const std::string &path() const { return folder; }
  std::string operator/(const std::string &name) const { return folder + "/" + name; }

private:
  std::string folder;
};

} // namespace penstock
