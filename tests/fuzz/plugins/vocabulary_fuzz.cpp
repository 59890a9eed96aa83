// Any bytes as the vocabulary of `wordpiece` (up to the first empty line) and as texts to encode (the rest): refused, or tokens
// that lie inside of the text.
#include <penstock/plugin_abi.h>

#include <cstdlib>
#include <string>

extern "C" const PenstockPlugin *penstock_plugin(void);

namespace {

PenstockString view(const std::string &text) { return {text.data(), text.size()}; }

void use(const std::string &vocabulary, const std::string &text, bool lowercase) {
  const auto &f = *static_cast<const PenstockTokenizer *>(penstock_plugin()->functions);
  const std::string names[] = {"vocab", "lowercase", "unknown", "max_word_characters"}, unknown = "[UNK]", path = "/nowhere";
  PenstockParameter items[4] = {};
  for (int i = 0; i < 4; ++i) {
    items[i].name = view(names[i]);
  }
  items[0].kind = items[2].kind = PENSTOCK_VALUE_STRING;
  items[0].string = view(path);
  items[1].kind = PENSTOCK_VALUE_BOOL;
  items[1].integer = lowercase;
  items[2].string = view(unknown);
  items[3].kind = PENSTOCK_VALUE_INT;
  items[3].integer = 100;
  items[4].kind = PENSTOCK_VALUE_BOOL;
  items[4].integer = vocabulary.find("\n[CLS]\n") != std::string::npos && vocabulary.find("\n[SEP]\n") != std::string::npos;
  const PenstockParameters parameters = {sizeof parameters, 5, items};
  const PenstockHost host = {sizeof host, nullptr, nullptr, nullptr, nullptr};
  const std::string state = "penstock-wordpiece 1\n" + vocabulary;
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
                                  }};
  const PenstockString texts[] = {view(text)};
  if (f.encode(self, texts, 1, -1, &sink, &error) != 0) {
    std::abort();
  }
  f.destroy(self);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string all(reinterpret_cast<const char *>(data), size);
  const std::size_t split = all.find("\n\n");
  const std::string vocabulary = all.substr(0, split);
  const std::string text = split == std::string::npos ? all : all.substr(split + 2);
  use(vocabulary, text, true);
  use(vocabulary, text, false);
  return 0;
}
