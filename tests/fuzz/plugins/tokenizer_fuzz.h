// What the fuzz targets of tokenizers with a given vocabulary share: any bytes as the vocabulary, up to the first empty line, and as a
// text to encode, the rest. They must be refused with a reason, or give tokens that lie inside of the text.
#pragma once

#include <penstock/plugin_abi.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

extern "C" const PenstockPlugin *penstock_plugin(void);

namespace penstock::fuzz {

inline PenstockString view(const std::string &text) { return {text.data(), text.size()}; }

/// The vocabulary and the text of the input.
inline std::pair<std::string, std::string> partsOf(const std::uint8_t *data, std::size_t size) {
  const std::string all(reinterpret_cast<const char *>(data), size);
  const std::size_t split = all.find("\n\n");
  return {all.substr(0, split), split == std::string::npos ? all : all.substr(split + 2)};
}

/// A file of these bytes with this name, until the next call.
inline std::string fileOf(const std::string &name, const std::string &bytes) {
  static const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("penstock_fuzz_" + std::to_string(getpid()));
  std::filesystem::create_directories((folder / name).parent_path());
  std::ofstream(folder / name, std::ios::binary | std::ios::trunc) << bytes;
  return (folder / name).string();
}

struct Parameter {
  std::string name;
  std::int32_t kind;
  std::int64_t integer;
  std::string text;
};

inline void use(const std::vector<Parameter> &given, const std::string &state, const std::string &text) {
  const auto &f = *static_cast<const PenstockTokenizer *>(penstock_plugin()->functions);
  std::vector<PenstockValue> items(given.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    items[i].name = view(given[i].name);
    items[i].kind = given[i].kind;
    items[i].integer = given[i].integer;
    items[i].string = view(given[i].text);
  }
  const PenstockParameters parameters = {sizeof parameters, {static_cast<std::int32_t>(items.size()), sizeof(PenstockValue), items.data()}};
  const PenstockHost host = {sizeof host, nullptr, nullptr, nullptr, nullptr, nullptr};
  PenstockError error{};
  void *self = nullptr;
  if (f.create(&host, &parameters, view(state), &self, &error) != 0) {
    if (error.text[0] == '\0') {
      std::abort();
    }
    return;
  }
  struct Limits {
    std::int64_t vocabulary;
    std::size_t text;
  } limits = {f.vocabulary_size(self), text.size()};
  const PenstockTokenSink sink = {sizeof sink, &limits,
                                  [](void *context, std::int64_t, const std::int32_t *ids, const std::uint32_t *starts,
                                     const std::uint32_t *ends, std::int64_t count) -> std::int32_t {
                                    const auto &most = *static_cast<const Limits *>(context);
                                    for (std::int64_t i = 0; i < count; ++i) {
                                      if (ids[i] < 0 || ids[i] >= most.vocabulary || starts[i] > ends[i] || ends[i] > most.text ||
                                          (i > 0 && starts[i] < starts[i - 1])) {
                                        std::abort();
                                      }
                                    }
                                    return 0;
                                  },
                                  0};
  const PenstockString texts[] = {view(text)};
  PenstockSpecialTokens special{};
  special.struct_size = sizeof special;
  if (f.special_tokens(self, &special, &error) != 0 || f.encode(self, texts, 1, -1, &sink, &error) != 0) {
    std::abort();
  }
  f.destroy(self);
}

} // namespace penstock::fuzz
