// config.json of a folder: what its numbers may be, and which keys are remarked.
#include "compiler/frontend/encoders.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace penstock::frontend {
namespace {

using Json = nlohmann::json;

Json configOf(const std::string &family) {
  if (family == "distilbert") {
    return {{"model_type", family}, {"vocab_size", 31}, {"dim", 6}, {"n_layers", 3}, {"n_heads", 2}, {"hidden_dim", 7}};
  }
  return {{"model_type", family},   {"vocab_size", 31},         {"hidden_size", 6},
          {"num_hidden_layers", 3}, {"num_attention_heads", 2}, {"intermediate_size", 7}};
}

std::string saysOf(const std::string &family, const std::string &key, const std::string &value) {
  std::string text = configOf(family).dump();
  text.pop_back();
  const auto shape = readEncoderConfig(encoderFamily(family), text + ", \"" + key + "\": " + value + "}");
  return shape.ok() ? "" : shape.status().message();
}

TEST(EncoderConfig, EveryNumberHasARange) {
  const struct {
    const char *key;
    std::vector<const char *> good, bad;
  } cases[] = {
      {"vocab_size", {"1", "100000000"}, {"0", "-1", "100000001", "18446744073709551615", "7.0", "7.5", "\"7\""}},
      {"hidden_size", {"2", "65536"}, {"0", "65538", "9e18", "4.0"}},
      {"num_hidden_layers", {"1", "1000"}, {"0", "1001"}},
      {"num_attention_heads", {"1", "3"}, {"0", "4", "65537"}},
      {"intermediate_size", {"1"}, {"0", "1e9"}},
      {"max_position_embeddings", {"3"}, {"0", "-3", "1000000000000"}},
      {"type_vocab_size", {"1", "3"}, {"0", "65537"}},
      {"layer_norm_eps",
       {"1e-12", "1e-5", "0.001", "0.01", "1e-37"},
       {"0.5", "2", "1e6", "9e18", "1e308", "0", "-1e-12", "1e-40", "1e-400", "true", "[[1]]", "\"1e-12\""}},
      {"hidden_dropout_prob", {"0", "0.0", "0.5", "0.99"}, {"1", "0.999999999999", "-0.1", "1e308"}},
      {"attention_probs_dropout_prob", {"0", "0.9"}, {"1.0", "-1", "{}"}},
  };
  for (const auto &one : cases) {
    for (const std::string family : {"bert", "roberta"}) {
      for (const char *value : one.good) {
        EXPECT_EQ(saysOf(family, one.key, value), "") << one.key;
      }
      std::vector<const char *> bad = one.bad;
      bad.push_back("null"); // no number, and Transformers has no other reading of it
      for (const char *value : bad) {
        const std::string says = saysOf(family, one.key, value);
        EXPECT_NE(says, "") << one.key << " " << value;
        EXPECT_TRUE(says.find(one.key) != std::string::npos || says.find("heads") != std::string::npos) << says;
      }
    }
  }
  for (const char *key :
       {"dim", "n_layers", "n_heads", "hidden_dim", "vocab_size", "max_position_embeddings", "dropout", "attention_dropout"}) {
    for (const char *value : {"-1", "1e308", "null", "\"1\""}) {
      EXPECT_NE(saysOf("distilbert", key, value).find(key), std::string::npos) << key << " " << value;
    }
  }
  EXPECT_EQ(saysOf("roberta", "pad_token_id", "0"), "");
  EXPECT_NE(saysOf("roberta", "pad_token_id", "511").find("too few"), std::string::npos);
  EXPECT_NE(saysOf("roberta", "pad_token_id", "null"), "");
  EXPECT_EQ(saysOf("bert", "pad_token_id", "null"), ""); // not read there
  EXPECT_EQ(saysOf("bert", "layer_norm_eps", "0.5"),
            "its `config.json` says `layer_norm_eps`: 0.5; that must be a number from 1e-37 to 0.01");
}

TEST(EncoderConfig, WhatIsAbsentIsTransformersOwn) {
  const auto shape = readEncoderConfig(EncoderShape::Family::bert, configOf("bert").dump());
  ASSERT_TRUE(shape.ok());
  EXPECT_EQ(shape->positions, 512);
  EXPECT_EQ(shape->segments, 2);
  EXPECT_EQ(shape->epsilon, 1e-12);
  EXPECT_EQ(shape->dropout, 0.1);
  EXPECT_EQ(shape->attentionDropout, 0.1);
  for (const char *key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"}) {
    Json config = configOf("bert");
    config.erase(key);
    const auto lacks = readEncoderConfig(EncoderShape::Family::bert, config.dump());
    ASSERT_FALSE(lacks.ok());
    EXPECT_NE(lacks.status().message().find("has no `" + std::string(key) + "`"), std::string::npos);
  }
}

TEST(EncoderConfig, DeepOrStrangeValuesAreNotRepeated) {
  EXPECT_NE(saysOf("bert", "hidden_size", std::string(200'000, '[') + std::string(200'000, ']')).find("[...]"), std::string::npos);
  EXPECT_NE(saysOf("bert", "is_decoder", "{\"a\": 1}").find("`is_decoder`: {...}"), std::string::npos);
  EXPECT_NE(saysOf("bert", "position_embedding_type", "null"), ""); // Transformers 4 leaves places out then
  EXPECT_LT(saysOf("bert", "hidden_act", "\"" + std::string(10'000, 'x') + "\"").size(), 300u);
}

TEST(EncoderConfig, KeysThatAreNotRead) {
  Json config = configOf("bert");
  config.update({{"architectures", {"BertModel"}},
                 {"torch_dtype", "float32"},
                 {"dtype", "float32"},
                 {"use_cache", true},
                 {"id2label", {{"0", "a"}}},
                 {"classifier_dropout", nullptr},
                 {"initializer_range", 0.02},
                 {"gradient_checkpointing", false},
                 {"is_decoder", false},
                 {"n_heads", nullptr},
                 {"transformers_version", "4.8.2"},
                 {"position_embedding_type", "absolute"},
                 {"pad_token_id", 0}});
  EXPECT_TRUE(unreadKeys(EncoderShape::Family::bert, config.dump()).empty());
  config.update({{"classifier_dropout", 0.3}, {"n_layers", 7}, {"seq_classif_dropout", 0.2}, {"made\x1b_up", {1}}});
  EXPECT_EQ(unreadKeys(EncoderShape::Family::bert, config.dump()),
            (std::vector<std::string>{"`classifier_dropout`: 0.3 (the head's dropout stands in the pipeline)",
                                      "`made\xef\xbf\xbd_up`: [...]", "`n_layers`: 7 (a key of distilbert)",
                                      "`seq_classif_dropout`: 0.2 (the head's dropout stands in the pipeline)"}));
  Json distil = configOf("distilbert");
  distil.update({{"seq_classif_dropout", 0.2}, {"qa_dropout", 0.1}, {"sinusoidal_pos_embds", false}, {"tie_weights_", true}});
  EXPECT_TRUE(unreadKeys(EncoderShape::Family::distilbert, distil.dump()).empty());
  distil.update({{"seq_classif_dropout", 0.5}, {"layer_norm_eps", 1e-5}});
  EXPECT_EQ(unreadKeys(EncoderShape::Family::distilbert, distil.dump()),
            (std::vector<std::string>{"`layer_norm_eps`: 1e-05 (a key of bert)",
                                      "`seq_classif_dropout`: 0.5 (the head's dropout stands in the pipeline)"}));
}

} // namespace
} // namespace penstock::frontend
