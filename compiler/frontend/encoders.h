// Pretrained encoders: what a Hugging Face config.json says, and which tensors of model.safetensors make up a weight of ours.
// Sources: the `config.json` and parameter names of Transformers' BERT (arXiv 1810.04805), RoBERTa (arXiv 1907.11692) and
// DistilBERT (arXiv 1910.01108). The encoder itself is ordinary operations of the language (check/encoder_builder.cpp).
#pragma once

#include "compiler/frontend/facts.h"
#include "compiler/frontend/typed_pipeline.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::frontend {

struct EncoderShape {
  enum class Family { bert, roberta, distilbert } family = Family::bert;
  std::int64_t vocabulary = 0; // 0: as many as the tokenizer has
  std::int64_t hidden = 0, layers = 0, heads = 0, inner = 0;
  std::int64_t positions = 512; // places that a token can have
  std::int64_t skipped = 0;     // rows of the folder's table of places before the first one that is used (RoBERTa)
  std::int64_t segments = 2;    // rows for the first and second text of a pair; 0: there are none
  double epsilon = 1e-12, dropout = 0.1, attentionDropout = 0.1;
  std::string activation = "gelu"; // gelu, gelu_new, relu
};

/// Whether `name` is the callable of an encoder, and of which family.
bool isEncoder(const std::string &name);
EncoderShape::Family encoderFamily(const std::string &name);

/// Reads the text of config.json. The error says which entry is not supported or does not fit; every entry that would change
/// the encoder's numbers is judged, and every number has a range. `null` is no number.
Result<EncoderShape> readEncoderConfig(EncoderShape::Family family, const std::string &config);

/// The keys of config.json that are not read, with their values, as a message shows them; without those that say nothing about an
/// encoder, and those that are `null`.
std::vector<std::string> unreadKeys(EncoderShape::Family family, const std::string &config);

/// The text of a config.json that says the same; `vocabulary`: rows of the table of tokens.
std::string encoderConfig(const EncoderShape &shape, std::int64_t vocabulary);

/// The names, in the folder's file and without a prefix, of the tensors of one part: "word", "position", "segment", "norm"
/// (weight, bias), "pooler" (weight, bias), and of layer `i`: "attention" (query, key, value and output, weight and bias of
/// each), "attention_norm", "inner", "outer", "norm". In the order of the weights of the operation that holds them; a
/// weight of ours may be several tensors side by side.
std::vector<std::vector<std::string>> encoderTensors(EncoderShape::Family family, const std::string &part, std::int64_t layer = -1);

/// The name under which the folder has a tensor: with a prefix such as `bert.`, or with the old endings `gamma` and `beta`. ""
/// where it has none.
std::string findTensor(const Facts::Model &model, const std::string &name);

} // namespace penstock::frontend
