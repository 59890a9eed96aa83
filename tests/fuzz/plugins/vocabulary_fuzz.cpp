// Any bytes as the vocabulary of `wordpiece`: lines, a tokenizer.json, or a saved state; behind a `@` a tokenizer_config.json, beside
// a small vocabulary.
#include "tokenizer_fuzz.h"

using namespace penstock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto [vocabulary, text] = fuzz::partsOf(data, size);
  if (!vocabulary.empty() && vocabulary[0] == '@') {
    const std::string lines = fuzz::fileOf("settings/vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n##b\nB\n");
    fuzz::fileOf("settings/tokenizer_config.json", vocabulary.substr(1));
    fuzz::use({{"vocab", PENSTOCK_VALUE_STRING, 0, lines}, {"special", PENSTOCK_VALUE_BOOL, 1, ""}}, "", text);
    return 0;
  }
  const bool isJson = !vocabulary.empty() && vocabulary[0] == '{';
  const bool isState = vocabulary.rfind("penstock-wordpiece", 0) == 0;
  const std::string path = isJson ? fuzz::fileOf("tokenizer.json", vocabulary) : "/nowhere";
  const std::string state = isJson ? "" : isState ? vocabulary : "penstock-wordpiece 1\n" + vocabulary;
  const bool special = vocabulary.find("\n[CLS]\n") != std::string::npos && vocabulary.find("\n[SEP]\n") != std::string::npos;
  for (const bool lowercase : {true, false}) {
    fuzz::use({{"vocab", PENSTOCK_VALUE_STRING, 0, path},
               {"lowercase", PENSTOCK_VALUE_BOOL, lowercase, ""},
               {"unknown", PENSTOCK_VALUE_STRING, 0, "[UNK]"},
               {"max_word_characters", PENSTOCK_VALUE_INT, 100, ""},
               {"special", PENSTOCK_VALUE_BOOL, special || isJson, ""}},
              state, text);
  }
  return 0;
}
