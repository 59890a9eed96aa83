#include "runtime/data/record_program.h"

#include "runtime/base/hash.h"

#include <nlohmann/json.hpp>

#include <unordered_map>

namespace penstock {

using Json = nlohmann::json;

int splitIndex(std::string_view name) {
  for (std::size_t i = 0; i < splitNames.size(); ++i) {
    if (name == splitNames[i]) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

namespace {

/// Thrown and caught within this file.
struct Wrong {
  std::string what;
};

/// Places of named things in their list, the first of equal names.
class Names {
public:
  template <typename T> explicit Names(const std::vector<T> &items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      places.emplace(items[i].name, static_cast<int>(i));
    }
  }
  int at(const std::string &name) const {
    const auto found = places.find(name);
    return found != places.end() ? found->second : throw Wrong{"names no `" + name + "`"};
  }

private:
  std::unordered_map<std::string, int> places;
};

ColumnSpec readColumn(const Json &json) {
  ColumnSpec column;
  column.name = json.at("name").get<std::string>();
  column.from = json.value("from", column.name);
  const std::string type = json.at("type").get<std::string>();
  if (type == "text") {
    column.type = ColumnSpec::Type::text;
  } else if (type == "class") {
    column.type = ColumnSpec::Type::classId;
  } else if (type == "number") {
    column.type = ColumnSpec::Type::number;
  } else if (type == "id") {
    column.type = ColumnSpec::Type::id;
  } else if (type == "set") {
    column.type = ColumnSpec::Type::set;
    column.separator = json.at("separator").get<std::string>();
    if (column.separator.empty()) {
      throw Wrong{"has a set `" + column.name + "` without a separator"};
    }
  } else if (type == "words") {
    column.type = ColumnSpec::Type::words;
  } else if (type == "tags") {
    column.type = ColumnSpec::Type::tags;
    const std::string scheme = json.value("scheme", "none");
    const std::optional<TagScheme> known = tagScheme(scheme);
    if (!known) {
      throw Wrong{"has tags of a scheme `" + scheme + "`"};
    }
    column.scheme = *known;
  } else {
    throw Wrong{"has a column of type `" + type + "`"};
  }
  if (json.contains("classes") && !json["classes"].is_null()) {
    column.declaresClasses = true;
    column.classes = json["classes"].get<std::vector<std::string>>();
  }
  if (json.contains("missing") && !json["missing"].is_null()) {
    column.missing = json["missing"].get<std::vector<std::string>>();
  }
  if (json.contains("fill") && !json["fill"].is_null()) {
    const Json &fill = json["fill"];
    if (fill.is_number()) {
      column.fill = ColumnSpec::Fill::value;
      column.fillValue = fill.get<double>();
    } else if (fill == "median") {
      column.fill = ColumnSpec::Fill::median;
    } else if (fill == "mean") {
      column.fill = ColumnSpec::Fill::mean;
    } else {
      throw Wrong{"fills with `" + fill.dump() + "`"};
    }
  }
  return column;
}

FeatureSpec readFeature(const Json &json, const std::vector<ColumnSpec> &columns, const Names &columnNames) {
  FeatureSpec feature;
  feature.name = json.at("name").get<std::string>();
  feature.axis = json.value("axis", feature.name);
  feature.column = columnNames.at(json.at("column").get<std::string>());
  const ColumnSpec::Type type = columns[static_cast<std::size_t>(feature.column)].type;
  feature.cutFromWords = type == ColumnSpec::Type::words;
  if (type != ColumnSpec::Type::text && !feature.cutFromWords) {
    throw Wrong{"makes feature `" + feature.name + "` of a column that is no text"};
  }
  for (const Json &step : json.at("steps")) {
    const std::string op = step.at("op").get<std::string>();
    if (!feature.plugin.empty()) {
      throw Wrong{"has a step `" + op + "` behind the tokenizer of `" + feature.name + "`"};
    }
    if (op == "pair") {
      if (feature.isPair() || !feature.cleans.empty()) {
        throw Wrong{"has a step `pair` of `" + feature.name + "` that is not its first"};
      }
      feature.second = columnNames.at(step.at("column").get<std::string>());
      if (feature.cutFromWords || columns[static_cast<std::size_t>(feature.second)].type != ColumnSpec::Type::text) {
        throw Wrong{"makes feature `" + feature.name + "` of a pair that is not two texts"};
      }
    } else if (op == "clean") {
      CleanOptions clean;
      const std::string unicode = step.value("unicode", "nfc");
      if (unicode != "nfc" && unicode != "nfkc" && unicode != "none") {
        throw Wrong{"asks for Unicode form `" + unicode + "`"};
      }
      clean.unicode = unicode == "nfc"    ? CleanOptions::Unicode::nfc
                      : unicode == "nfkc" ? CleanOptions::Unicode::nfkc
                                          : CleanOptions::Unicode::none;
      clean.lowercase = step.value("lowercase", false);
      clean.strip = step.value("strip", true);
      clean.collapse = step.value("collapse", false);
      feature.cleans.push_back(clean);
    } else if (op == "tokenize") {
      feature.plugin = step.at("plugin").get<std::string>();
      feature.parameters = step.value("parameters", Json::object()).dump();
      if (step.contains("max_length") && !step["max_length"].is_null()) {
        feature.maxLength = step["max_length"].get<std::int64_t>();
        if (feature.maxLength == 0) {
          throw Wrong{"cuts feature `" + feature.name + "` to nothing"};
        }
        feature.maxLength = std::max<std::int64_t>(feature.maxLength, -1);
      }
      if (step.contains("truncate") && !step["truncate"].is_null()) {
        const std::string name = step["truncate"].get<std::string>();
        const std::optional<Truncation> truncation = truncationOf(name);
        if (!truncation) {
          throw Wrong{"truncates `" + name + "`"};
        }
        feature.truncation = *truncation;
      }
    } else {
      throw Wrong{"has a step `" + op + "`"};
    }
  }
  if (feature.plugin.empty()) {
    throw Wrong{"gives feature `" + feature.name + "` no tokenizer"};
  }
  return feature;
}

InputSpec readInput(const Json &json, RecordProgram &program, const Names &columnNames, const Names &featureNames) {
  InputSpec input;
  input.name = json.at("name").get<std::string>();
  input.target = json.value("target", false);
  const std::string kind = json.at("kind").get<std::string>();
  if (kind == "ids" || kind == "tags") {
    input.feature = featureNames.at(json.at("feature").get<std::string>());
    for (std::size_t i = 0; i < program.axes.size(); ++i) {
      input.axis = program.axes[i] == input.feature ? static_cast<int>(i) : input.axis;
    }
    if (input.axis < 0) {
      input.axis = static_cast<int>(program.axes.size());
      program.axes.push_back(input.feature);
    }
  }
  if (kind == "ids") {
    return input;
  }
  input.column = columnNames.at(json.at("column").get<std::string>());
  const ColumnSpec::Type type = program.columns[static_cast<std::size_t>(input.column)].type;
  if (kind == "class" && type == ColumnSpec::Type::classId) {
    input.kind = InputSpec::Kind::classId;
  } else if (kind == "number" && type == ColumnSpec::Type::number) {
    input.kind = InputSpec::Kind::number;
  } else if (kind == "set" && type == ColumnSpec::Type::set) {
    input.kind = InputSpec::Kind::set;
  } else if (kind == "tags" && type == ColumnSpec::Type::tags && input.target &&
             program.features[static_cast<std::size_t>(input.feature)].cutFromWords) {
    input.kind = InputSpec::Kind::tags;
  } else {
    throw Wrong{"has an input `" + input.name + "` of kind `" + kind + "` that its column is not"};
  }
  return input;
}

void readSplit(const Json &json, RecordProgram &program) {
  const std::string by = json.value("by", "file");
  if (by == "file") {
    if (program.path.find("{split}") == std::string::npos) {
      throw Wrong{"splits by file, and its path has no `{split}`"};
    }
    return;
  }
  if (by != "hash") {
    throw Wrong{"splits by `" + by + "`"};
  }
  program.splitByHash = true;
  program.splitFrom = json.at("column").get<std::string>();
  for (const ColumnSpec &column : program.columns) {
    if (column.name == program.splitFrom) {
      program.splitFrom = column.from;
      break;
    }
  }
  program.wanted = {};
  double sum = 0;
  for (const auto &[name, share] : json.at("shares").items()) {
    const int split = splitIndex(name);
    const double value = share.get<double>();
    if (split < 0 || !(value >= 0 && value <= 1)) {
      throw Wrong{"gives split `" + name + "` a share of " + share.dump()};
    }
    program.shares[static_cast<std::size_t>(split)] = value;
    program.wanted[static_cast<std::size_t>(split)] = true;
    sum += value;
  }
  if (sum > 1 + 1e-9) {
    throw Wrong{"has shares that add up to more than 1"};
  }
}

RecordProgram read(const Json &json) {
  RecordProgram program;
  if (json.at("version") != 1) {
    throw Wrong{"has version " + json.at("version").dump() + "; this build reads version 1"};
  }
  const Json &source = json.at("source");
  const std::string kind = source.at("kind").get<std::string>();
  if (kind != "csv" && kind != "jsonl" && kind != "conll") {
    throw Wrong{"has a source `" + kind + "`"};
  }
  program.source = kind == "csv" ? RowFormat::csv : kind == "jsonl" ? RowFormat::jsonl : RowFormat::conll;
  program.path = source.at("path").get<std::string>();
  const Json options = source.contains("options") && source["options"].is_object() ? source["options"] : Json::object();
  for (const auto &[name, value] : options.items()) {
    if (kind == "conll" && name == "columns") {
      program.conll.columns = value.get<std::vector<std::string>>();
      continue;
    }
    if (kind == "conll" && name == "comment") {
      program.conll.comment = value.get<std::string>();
      continue;
    }
    if (kind == "csv" && name == "quote") {
      const std::string quote = value.get<std::string>();
      if (quote != "double" && quote != "none") {
        throw Wrong{"has a quote `" + quote + "`"};
      }
      program.csv.quotes = quote == "double";
      continue;
    }
    if (name != "delimiter" || kind != "csv") {
      throw Wrong{"has an option `" + name + "` of its source"};
    }
    const std::string delimiter = value.get<std::string>();
    if (delimiter.size() != 1 || static_cast<unsigned char>(delimiter[0]) >= 0x80 || delimiter == "\"" || delimiter == "\n" ||
        delimiter == "\r") {
      throw Wrong{"has the delimiter " + value.dump() +
                  "; it must be one ASCII character, neither "
                  "quote nor line end"};
    }
    program.csv.delimiter = delimiter[0];
  }
  program.fitted = json.value("fitted", "");
  for (const Json &column : json.at("columns")) {
    program.columns.push_back(readColumn(column));
    if (kind == "conll" && !program.columns.back().isList()) {
      throw Wrong{"has a column `" + program.columns.back().name + "` that is no list, of a source whose columns are"};
    }
  }
  if (kind == "conll" && program.conll.columns.empty()) {
    throw Wrong{"has a source `conll` without columns"};
  }
  readSplit(json.contains("split") && !json["split"].is_null() ? json["split"] : Json::object(), program);
  const Names columnNames(program.columns);
  for (const Json &feature : json.value("features", Json::array())) {
    program.features.push_back(readFeature(feature, program.columns, columnNames));
  }
  const Names featureNames(program.features);
  for (const Json &input : json.value("inputs", Json::array())) {
    program.inputs.push_back(readInput(input, program, columnNames, featureNames));
  }
  if (json.contains("splits")) {
    std::array<bool, 3> listed = {};
    for (const Json &name : json["splits"]) {
      const int split = splitIndex(name.get<std::string>());
      if (split < 0) {
        throw Wrong{"lists a split " + name.dump()};
      }
      listed[static_cast<std::size_t>(split)] = true;
    }
    for (std::size_t i = 0; i < listed.size(); ++i) {
      program.wanted[i] = program.wanted[i] && listed[i];
    }
  }
  // Parameters of tokenizers are keyed by themselves, because paths among them count by what lies
  // there.
  Json features = json.value("features", Json::array());
  for (Json &feature : features) {
    for (Json &step : feature["steps"]) {
      step.erase("parameters");
    }
  }
  Json identity = {{"kind", kind},
                   {"options", options},
                   {"split", json.value("split", Json::object())},
                   {"columns", json.at("columns")},
                   {"features", features},
                   {"inputs", json.value("inputs", Json::array())}};
  program.identity = identity.dump();
  return program;
}

} // namespace

Result<RecordProgram> RecordProgram::parse(const std::string &text) {
  try {
    return read(Json::parse(text));
  } catch (const Wrong &wrong) {
    return internalError("the record program " + wrong.what);
  } catch (const std::exception &) {
    return internalError("the record program lacks something, or holds it in another form");
  }
}

std::string RecordProgram::fileOf(int split) const {
  std::string file = path;
  const std::string_view mark = "{split}";
  const std::string name = splitNames[static_cast<std::size_t>(split)];
  for (std::size_t at = file.find(mark); at != std::string::npos; at = file.find(mark, at + name.size())) {
    file.replace(at, mark.size(), name);
  }
  return file;
}

int RecordProgram::splitOf(std::string_view cell) const {
  const double place = static_cast<double>(hash64(cell) >> 11) * 0x1p-53;
  double end = 0;
  int last = -1;
  for (int i = 0; i < static_cast<int>(shares.size()); ++i) {
    const double share = shares[static_cast<std::size_t>(i)];
    end += share;
    if (place < end) {
      return i;
    }
    last = share > 0 ? i : last;
  }
  return end > 1 - 1e-9 ? last : -1;
}

std::vector<std::string> RecordProgram::fileColumns() const {
  std::vector<std::string> names;
  for (const ColumnSpec &column : columns) {
    names.push_back(column.from);
  }
  if (splitByHash) {
    names.push_back(splitFrom);
  }
  return names;
}

std::vector<bool> RecordProgram::listColumns() const {
  std::vector<bool> lists;
  for (const ColumnSpec &column : columns) {
    lists.push_back(column.mayHoldList());
  }
  if (splitByHash) {
    lists.push_back(false);
  }
  return lists;
}

Result<std::unique_ptr<RowSource>> RecordProgram::openRows(const std::string &file) const {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openFileSource(file));
  std::unique_ptr<RowSource> rows = makeRows(std::move(bytes), {source, csv, conll});
  PENSTOCK_TRY(rows->begin());
  rows->select(fileColumns(), listColumns());
  return rows;
}

} // namespace penstock
