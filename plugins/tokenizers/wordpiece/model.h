// What a WordPiece model is made of: vocab.txt with the parameters of the call, or a tokenizer.json.
#pragma once

#include <penstock/sdk/tokenizer_json.h>

#include <algorithm>

namespace penstock {

/// What vocab.txt with the parameters, or tokenizer.json, says; the fit reads it from the file and leaves it as the state.
struct WordPieceModel {
  static constexpr std::string_view linesHeader = "penstock-wordpiece 1\n", partsHeader = "penstock-wordpiece 2\n";

  std::vector<std::string> tokens; // empty where an id has none
  bool lowercase = true;
  std::size_t mostCharacters = 100;
  std::int32_t unknown = 0;
  sdk::SpecialTokens special;

  /// The state of the file that the parameters name: the lines of a vocab.txt as they are, or the parts of a tokenizer.json.
  static std::string stateOf(const sdk::Parameters &parameters) {
    const std::string path(parameters.text("vocab"));
    const std::string bytes = sdk::readFile(path, "the vocabulary");
    return sdk::TokenizerJson::isOne(path) ? fromJson(path, bytes, parameters).save() : std::string(linesHeader) + bytes;
  }

  static WordPieceModel restore(std::string_view state, const sdk::Parameters &parameters) {
    if (state.starts_with(linesHeader)) {
      return fromLines(state.substr(linesHeader.size()), parameters);
    }
    sdk::StateReader reader(state, partsHeader, "wordpiece");
    WordPieceModel model;
    model.tokens.resize(reader.count(4));
    for (std::string &token : model.tokens) {
      token = reader.text();
      if (!sdk::isUtf8(token)) {
        throw reader.damaged();
      }
    }
    model.lowercase = reader.number() != 0;
    model.mostCharacters = std::clamp<std::size_t>(reader.number(), 1, mostWordCharacters);
    model.unknown = reader.id(model.tokens.size());
    model.special.prefix = reader.numbers(model.tokens.size());
    model.special.separator = reader.numbers(model.tokens.size());
    model.special.suffix = reader.numbers(model.tokens.size());
    return model;
  }

private:
  static constexpr std::size_t mostWordCharacters = 1000;

  std::string save() const {
    sdk::StateWriter state(partsHeader);
    state.number(tokens.size());
    for (const std::string &token : tokens) {
      state.text(token);
    }
    state.number(lowercase ? 1 : 0);
    state.number(mostCharacters);
    state.number(static_cast<std::size_t>(unknown));
    state.numbers(special.prefix);
    state.numbers(special.separator);
    state.numbers(special.suffix);
    return state.end();
  }

  /// A token a line; the line number is the id.
  static WordPieceModel fromLines(std::string_view text, const sdk::Parameters &parameters) {
    WordPieceModel model;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
      }
      if (!sdk::isUtf8(line)) {
        throw sdk::Failure("line " + std::to_string(model.tokens.size() + 1) + " of the vocabulary is not valid UTF-8");
      }
      model.tokens.emplace_back(line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (model.tokens.empty() || model.tokens.size() > static_cast<std::size_t>(sdk::TokenizerJson::mostTokens)) {
      throw sdk::Failure(model.tokens.empty() ? "the vocabulary has no tokens" : "the vocabulary has too many tokens");
    }
    model.lowercase = parameters.flag("lowercase");
    model.mostCharacters = static_cast<std::size_t>(parameters.integer("max_word_characters"));
    model.unknown = model.idOf(parameters.text("unknown"), "` for unknown words");
    if (parameters.flag("special")) {
      const char *const rule = "`, which `special: true` puts around each text; give `special: false` for a model that wants none";
      model.special.prefix = {model.idOf("[CLS]", rule)};
      model.special.separator = model.special.suffix = {model.idOf("[SEP]", rule)};
    }
    return model;
  }

  static WordPieceModel fromJson(const std::string &path, std::string_view bytes, const sdk::Parameters &parameters) {
    const sdk::TokenizerJson json(path, bytes, "WordPiece");
    WordPieceModel model;
    model.tokens = json.tokens();
    const auto normalizer = json.part("normalizer"), cut = json.part("pre_tokenizer");
    if (json.textOf(normalizer, "type") != "BertNormalizer") {
      throw json.fail("its normalizer is `" + json.textOf(normalizer, "type") + "`; only `BertNormalizer` is supported");
    }
    if (json.textOf(cut, "type") != "BertPreTokenizer") {
      throw json.fail("its pre-tokenizer is `" + json.textOf(cut, "type") + "`; only `BertPreTokenizer` is supported");
    }
    json.require(normalizer, "normalizer", "clean_text", true);
    json.require(normalizer, "normalizer", "handle_chinese_chars", true);
    model.lowercase = json.flagOf(normalizer, "lowercase", true);
    json.require(normalizer, "normalizer", "strip_accents", model.lowercase); // absent: as lowercase
    if (model.lowercase && !parameters.flag("lowercase")) {
      throw json.fail("it makes texts lower case, and `lowercase` is false; leave it out, the file says it");
    }
    json.require(json.model(), "model", "continuing_subword_prefix", "##");
    const auto &most = json.model().contains("max_input_chars_per_word") ? json.model()["max_input_chars_per_word"] : nlohmann::json(100);
    if (!most.is_number_integer() || most.get<std::int64_t>() < 1 || most.get<std::int64_t>() > std::int64_t{mostWordCharacters}) {
      throw json.fail("its `model.max_input_chars_per_word` is no number from 1 to 1000");
    }
    model.mostCharacters = most.get<std::size_t>();
    const std::string unknown = json.textOf(json.model(), "unk_token");
    model.unknown = json.idOf(unknown);
    if (model.unknown < 0) {
      throw json.fail("its vocabulary has no token `" + unknown + "` for unknown words");
    }
    if (parameters.flag("special")) {
      model.special = json.special();
    }
    return model;
  }

  /// Of equal tokens the last one counts.
  std::int32_t idOf(std::string_view token, const char *rule) const {
    const auto found = std::find(tokens.rbegin(), tokens.rend(), token);
    if (found == tokens.rend()) {
      throw sdk::Failure("the vocabulary has no token `" + std::string(token) + rule);
    }
    return static_cast<std::int32_t>(tokens.rend() - found - 1);
  }
};

} // namespace penstock
