// Any bytes as the vocabulary of `bpe`: a tokenizer.json, or a saved state.
#include "tokenizer_fuzz.h"

using namespace penstock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto [vocabulary, text] = fuzz::partsOf(data, size);
  const bool isState = vocabulary.rfind("penstock-bpe", 0) == 0;
  const std::string path = isState ? "/nowhere" : fuzz::fileOf("tokenizer.json", vocabulary);
  for (const bool space : {true, false}) {
    fuzz::use({{"vocab", PENSTOCK_VALUE_STRING, 0, path},
               {"merges", PENSTOCK_VALUE_STRING, 0, ""},
               {"special", PENSTOCK_VALUE_BOOL, 1, ""},
               {"prefix_space", PENSTOCK_VALUE_BOOL, space, ""},
               {"unknown", PENSTOCK_VALUE_STRING, 0, "<unk>"}},
              isState ? vocabulary : "", text);
  }
  return 0;
}
