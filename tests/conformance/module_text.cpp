#include "tests/conformance/records.h"

#include <numeric>
#include <random>

namespace penstock::conformance {

namespace {

using Kind = Operand::Kind;

std::int64_t totalOf(const Lengths &lengths) { return std::accumulate(lengths.begin(), lengths.end(), std::int64_t(0)); }

std::string dims(const std::vector<std::int64_t> &shape) {
  std::string text;
  for (std::int64_t extent : shape) {
    text += std::to_string(extent) + "x";
  }
  return text;
}

std::string typeOf(const Operand &o) {
  switch (o.kind) {
  case Kind::rows:
    return "!nn.rows<records x @tokens x " + dims(o.shape) + "f32>";
  case Kind::records:
    return "!nn.rows<records x " + dims(o.shape) + "f32>";
  case Kind::fixed:
    return "tensor<" + dims(o.shape) + "f32>";
  case Kind::scalar:
    return "tensor<f32>";
  case Kind::ids:
  case Kind::tags:
    return "!nn.rows<records x @tokens x 1xi32>";
  case Kind::classes:
    return "!nn.rows<records x 1xi32>";
  }
  return {};
}

bool isFloat(const Operand &o) { return o.kind != Kind::ids && o.kind != Kind::classes && o.kind != Kind::tags; }

/// The shape of the parameter that holds an operand.
std::vector<std::int64_t> parameterShape(const Operand &o, const Lengths &lengths) {
  switch (o.kind) {
  case Kind::rows:
    return {totalOf(lengths), o.shape[0]};
  case Kind::records:
    return {static_cast<std::int64_t>(lengths.size()), o.shape[0]};
  case Kind::scalar:
    return {1};
  default:
    return o.shape;
  }
}

std::vector<Operand> withCotangent(const Record &record) {
  std::vector<Operand> all = record.operands;
  all.push_back(record.result);
  all.back().name = "cotangent";
  all.back().positive = false;
  return all;
}

/// The batch inputs that a record's module reads, in the order of the batch.
std::vector<std::string> inputsOf(const Record &record) {
  std::vector<std::string> names;
  auto need = [&](const char *name, Kind kind) {
    for (const Operand &o : withCotangent(record)) {
      if (o.kind == kind) {
        names.push_back(name);
        return;
      }
    }
  };
  need("row", Kind::rows);
  need("record", Kind::records);
  need("words", Kind::ids);
  need("label", Kind::classes);
  need("tags", Kind::tags);
  return names;
}

std::string inputType(const std::string &name) {
  return name == "row" || name == "words" || name == "tags" ? "!nn.rows<records x @tokens x 1xi32>" : "!nn.rows<records x 1xi32>";
}

} // namespace

std::string moduleText(const Record &record, const Lengths &lengths) {
  std::string globals, body, layout;
  std::vector<std::string> inputs = inputsOf(record);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::string value = inputs[i];
    for (const Operand &o : record.operands) {
      if (inputs[i] == (o.kind == Kind::ids ? "words" : o.kind == Kind::classes ? "label" : o.kind == Kind::tags ? "tags" : "")) {
        value = o.name;
      }
    }
    body +=
        "    %" + value + " = nn.input \"" + inputs[i] + "\" {index = " + std::to_string(i) + " : i64} : " + inputType(inputs[i]) + "\n";
    layout += std::string(i == 0 ? "" : ", ") + "{name = \"" + inputs[i] + "\", target = true, type = " + inputType(inputs[i]) + "}";
  }
  for (const Operand &o : withCotangent(record)) {
    if (!isFloat(o)) {
      continue;
    }
    std::string stored = "tensor<" + dims(parameterShape(o, lengths)) + "f32>";
    globals += "  nn.global @" + o.name + " : " + stored + " {tensor_class = \"parameter\"}\n";
    std::string read = o.kind == Kind::fixed ? o.name : o.name + "_p";
    body += "    %" + read + " = nn.read @" + o.name + " : " + stored + "\n";
    if (o.kind == Kind::rows) {
      body += "    %" + o.name + " = nn.embedding %row, %" + read + " : !nn.rows<records x @tokens x 1xi32>, " + stored + " -> " +
              typeOf(o) + "\n";
    } else if (o.kind == Kind::records) {
      body +=
          "    %" + o.name + " = nn.embedding %record, %" + read + " : !nn.rows<records x 1xi32>, " + stored + " -> " + typeOf(o) + "\n";
    } else if (o.kind == Kind::scalar) {
      body += "    %" + o.name + " = nn.total %" + read + " : " + stored + " -> tensor<f32>\n";
    }
  }
  std::string type = typeOf(record.result);
  return "module attributes {nn.inputs = [" + layout + "], nn.objectives = [{kind = \"sgd\"}]} {\n" + globals + "  func.func @model() {\n" +
         body + "    " + record.body + "\n" + "    %weighted = nn.mul %y, %cotangent : " + type + ", " + type + " -> " + type + "\n" +
         "    %loss = nn.total %weighted : " + type + " -> tensor<f32>\n" +
         "    nn.output \"loss\", %loss {index = 0 : i64} : tensor<f32>\n    return\n  }\n}\n";
}

Globals makeGlobals(const Record &record, const Lengths &lengths) {
  Globals globals;
  std::mt19937_64 random(20240607);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> positive(0.5, 2.0);
  for (const Operand &o : withCotangent(record)) {
    if (!isFloat(o)) {
      continue;
    }
    std::vector<std::int64_t> shape = parameterShape(o, lengths);
    Tensor t;
    t.rows = shape.size() < 2 ? 1 : shape[0];
    t.width = std::accumulate(shape.begin() + (shape.size() < 2 ? 0 : 1), shape.end(), std::int64_t(1), std::multiplies<>());
    for (std::int64_t k = 0; k < t.rows * t.width; ++k) {
      // Values that float32 has, so that compiled code and oracle begin with the same numbers.
      t.f.push_back(static_cast<float>(o.positive ? positive(random) : normal(random)));
    }
    globals[o.name] = std::move(t);
  }
  return globals;
}

Batch makeBatch(const Record &record, const Lengths &lengths) {
  Batch batch;
  batch.records = static_cast<std::int64_t>(lengths.size());
  std::vector<std::int32_t> offsets = {0};
  for (std::int32_t length : lengths) {
    offsets.push_back(offsets.back() + length);
  }
  auto ints = [](std::int64_t rows) {
    Tensor t;
    t.rows = rows;
    t.i.resize(static_cast<std::size_t>(rows));
    std::iota(t.i.begin(), t.i.end(), 0);
    return t;
  };
  Tensor words = ints(offsets.back()), label = ints(batch.records), tags = ints(offsets.back());
  std::mt19937_64 random(20240608);
  for (const Operand &o : record.operands) {
    if (o.kind == Kind::ids) {
      for (std::int32_t &id : words.i) {
        id = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(o.shape[0]));
      }
    } else if (o.kind == Kind::classes) {
      for (std::int32_t &id : label.i) {
        id = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(o.shape[0]));
      }
      label.i.back() = -1;
    } else if (o.kind == Kind::tags) {
      for (std::size_t row = 0; row < tags.i.size(); ++row) {
        const auto tag = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(o.shape[0]));
        tags.i[row] = row % 4 == 3 || static_cast<std::int32_t>(row) >= offsets[offsets.size() - 2] ? -1 : tag;
      }
    }
  }
  for (std::int64_t r = 0; r < batch.records; ++r) {
    batch.recordNumbers.push_back(static_cast<std::uint64_t>(1000003 * r + 17));
  }
  std::vector<std::string> inputs = inputsOf(record);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensor &input = batch.inputs[static_cast<std::int64_t>(i)];
    input = inputs[i] == "row"      ? ints(offsets.back())
            : inputs[i] == "record" ? ints(batch.records)
            : inputs[i] == "words"  ? words
            : inputs[i] == "tags"   ? tags
                                    : label;
  }
  // A word begins at every row of a record but its second, fifth, eighth and so on.
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    std::int32_t words = 0;
    for (std::int32_t place = 0; place < offsets[r + 1] - offsets[r]; ++place) {
      batch.rowWord.push_back(place % 3 == 1 ? -1 : words++);
    }
  }
  batch.offsets["tokens"] = std::move(offsets);
  return batch;
}

} // namespace penstock::conformance
