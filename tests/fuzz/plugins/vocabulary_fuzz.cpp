// Any bytes as the vocabulary of `wordpiece`: lines, a tokenizer.json, or a saved state.
#include "tokenizer_fuzz.h"

using namespace penstock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto [vocabulary, text] = fuzz::partsOf(data, size);
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
