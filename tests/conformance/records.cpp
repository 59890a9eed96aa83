#include "tests/conformance/records.h"

namespace penstock::conformance {

namespace {

Operand rows(const char *name, std::int64_t width) { return {name, Operand::Kind::rows, {width}, false}; }
Operand perRecord(const char *name, std::int64_t width) { return {name, Operand::Kind::records, {width}, false}; }
Operand fixed(const char *name, std::vector<std::int64_t> shape) { return {name, Operand::Kind::fixed, std::move(shape), false}; }
Operand scalar(const char *name) { return {name, Operand::Kind::scalar, {}, false}; }
Operand ids(const char *name, std::int64_t vocabulary) { return {name, Operand::Kind::ids, {vocabulary}, false}; }
Operand classes(const char *name, std::int64_t count) { return {name, Operand::Kind::classes, {count}, false}; }
Operand tags(const char *name, std::int64_t count) { return {name, Operand::Kind::tags, {count}, false}; }
Operand positive(Operand o) {
  o.positive = true;
  return o;
}

Record unary(const char *name, const char *spec, const char *attributes = "") {
  return {name,
          spec,
          {rows("x", 7)},
          "%y = nn." + std::string(name) + " %x " + attributes + ": !nn.rows<records x @tokens x 7xf32>",
          rows("y", 7)};
}

/// A binary op with each kind of right side.
void binaries(std::vector<Record> &all, const char *name, const char *spec, bool divides) {
  struct Side {
    const char *suffix;
    Operand operand;
    const char *type;
  };
  const Side sides[] = {{"", rows("b", 5), "!nn.rows<records x @tokens x 5xf32>"},
                        {"_vector", fixed("b", {5}), "tensor<5xf32>"},
                        {"_column", rows("b", 1), "!nn.rows<records x @tokens x 1xf32>"},
                        {"_scalar", scalar("b"), "tensor<f32>"}};
  for (const Side &side : sides) {
    std::string text = "%y = nn." + std::string(name) + " %a, %b : !nn.rows<records x @tokens x 5xf32>, " + side.type +
                       " -> !nn.rows<records x @tokens x 5xf32>";
    all.push_back(
        {name + std::string(side.suffix), spec, {rows("a", 5), divides ? positive(side.operand) : side.operand}, text, rows("y", 5)});
  }
}

/// Forty layers of four ops, which use the same weights: more than a region takes, forward and backward.
Record longChain() {
  std::string body;
  for (int i = 0; i < 40; ++i) {
    const std::string x = i == 0 ? "%x" : "%c" + std::to_string(i), n = std::to_string(i);
    body += "%n" + n + ", %r" + n + " = nn.normalize " + x +
            " {epsilon = 1.0e-5 : f64} : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x "
            "@tokens x 1xf32>\n    %m" +
            n + " = nn.mul %n" + n +
            ", %g : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>\n    %a" + n +
            " = nn.add %m" + n + ", %b : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>\n    " +
            (i == 39 ? "%y" : "%c" + std::to_string(i + 1)) + " = nn.add %a" + n + ", " + x +
            " : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 5xf32>\n    ";
  }
  return {
      "long_chain", "forty times norm, scale, shift and a residual", {rows("x", 5), fixed("g", {5}), fixed("b", {5})}, body, rows("y", 5)};
}

/// More parts than one concatenation copies.
Record manyParts() {
  std::string parts, types;
  for (int i = 0; i < 35; ++i) {
    parts += i == 0 ? "%a, %b" : ", %a, %b";
    types += std::string(i == 0 ? "" : ", ") + "!nn.rows<records x 3xf32>, !nn.rows<records x 2xf32>";
  }
  return {"many_parts",
          "seventy values side by side",
          {perRecord("a", 3), perRecord("b", 2)},
          "%y = nn.concat " + parts + " : " + types + " -> !nn.rows<records x 175xf32>",
          perRecord("y", 175)};
}

std::vector<Record> make() {
  std::vector<Record> all;

  all.push_back(unary("relu", "max(x, 0)"));
  all.push_back(unary("leaky_relu", "max(x, 0) + 0.3 min(x, 0)", "{slope = 0.3 : f64} "));
  all.push_back(unary("elu", "x above 0, else 0.7 (exp(x) - 1) (arXiv 1511.07289)", "{alpha = 0.7 : f64} "));
  all.push_back(unary("gelu", "x Phi(x), exact (arXiv 1606.08415)"));
  all.push_back(unary("tanh", "hyperbolic tangent"));
  all.push_back(unary("sigmoid", "1 / (1 + exp(-x))"));
  all.push_back(unary("silu", "x / (1 + exp(-x)) (arXiv 1702.03118)"));
  all.push_back(unary("exp", "e to the x"));
  all.push_back(unary("neg", "-x"));
  all.push_back(unary("log", "natural logarithm of positive numbers"));
  all.back().operands[0].positive = true;
  all.push_back(unary("sqrt", "square root of positive numbers"));
  all.back().operands[0].positive = true;
  all.push_back(unary("softplus", "log(1 + exp(x))"));
  all.push_back(unary("softmax", "exp(x) over its sum in the row"));
  binaries(all, "add", "a + b", false);
  binaries(all, "sub", "a - b", false);
  binaries(all, "mul", "a * b", false);
  binaries(all, "div", "a / b", true);
  all.push_back({"dropout",
                 "inverted dropout (JMLR 15, 2014), the mask from counters",
                 {rows("x", 7)},
                 "%y = nn.dropout %x {p = 0.4 : f64, key = 99 : i64} : !nn.rows<records x @tokens x 7xf32>",
                 rows("y", 7)});
  all.push_back({"dropout_records",
                 "dropout of one row a record",
                 {perRecord("x", 11)},
                 "%y = nn.dropout %x {p = 0.3 : f64, key = -5 : i64} : !nn.rows<records x 11xf32>",
                 perRecord("y", 11)});

  // Beyond what a block of a GPU keeps of a row.
  all.push_back({"softmax_wide",
                 "softmax of rows of 30011 numbers",
                 {perRecord("x", 30011)},
                 "    %n, %rstd = nn.normalize %x {epsilon = 1.0e-5 : f64} : !nn.rows<records x 30011xf32> -> "
                 "!nn.rows<records x 30011xf32>, !nn.rows<records x 1xf32>\n"
                 "    %y = nn.softmax %n : !nn.rows<records x 30011xf32>\n",
                 perRecord("y", 30011)});
  all.back().large = true;
  all.push_back({"normalize",
                 "layer norm without its affine part (arXiv 1607.06450)",
                 {rows("x", 13)},
                 "%y, %rstd = nn.normalize %x {epsilon = 1.0e-5 : f64} : !nn.rows<records x @tokens x 13xf32> -> "
                 "!nn.rows<records x @tokens x 13xf32>, !nn.rows<records x @tokens x 1xf32>",
                 rows("y", 13)});
  all.push_back({"row_sum",
                 "sum of a row",
                 {rows("x", 5)},
                 "%y = nn.row_sum %x : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 1xf32>",
                 rows("y", 1)});
  all.push_back({"spread",
                 "a column repeated",
                 {rows("x", 1), rows("l", 5)},
                 "%y = nn.spread %x like %l : !nn.rows<records x @tokens x 1xf32>, !nn.rows<records x @tokens x 5xf32> -> "
                 "!nn.rows<records x @tokens x 5xf32>",
                 rows("y", 5)});
  all.push_back({"spread_scalar",
                 "a scalar in every element",
                 {scalar("x"), perRecord("l", 3)},
                 "%y = nn.spread %x like %l : tensor<f32>, !nn.rows<records x 3xf32> -> !nn.rows<records x 3xf32>",
                 perRecord("y", 3)});
  all.back().local = false;
  all.push_back({"spread_vector",
                 "a vector in every row",
                 {fixed("x", {5}), rows("l", 5)},
                 "%y = nn.spread %x like %l : tensor<5xf32>, !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 5xf32>",
                 rows("y", 5)});
  all.push_back({"column_sum",
                 "sum of each column",
                 {rows("x", 5)},
                 "%y = nn.column_sum %x : !nn.rows<records x @tokens x 5xf32> -> tensor<5xf32>",
                 fixed("y", {5})});
  all.back().local = false;
  all.push_back({"in_training",
                 "of a step the first value",
                 {rows("a", 3), rows("b", 3)},
                 "%y = nn.in_training %a, %b : !nn.rows<records x @tokens x 3xf32>",
                 rows("y", 3)});
  all.push_back({"total",
                 "sum of all elements",
                 {rows("x", 5)},
                 "%y = nn.total %x : !nn.rows<records x @tokens x 5xf32> -> tensor<f32>",
                 scalar("y")});
  all.back().local = false;
  all.push_back({"concat",
                 "rows side by side",
                 {rows("a", 3), rows("b", 5), rows("c", 2)},
                 "%y = nn.concat %a, %b, %c : !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 5xf32>, "
                 "!nn.rows<records x @tokens x 2xf32> -> !nn.rows<records x @tokens x 10xf32>",
                 rows("y", 10)});
  all.push_back({"slice",
                 "columns of rows",
                 {rows("x", 7)},
                 "%y = nn.slice %x {offset = 2 : i64} : !nn.rows<records x @tokens x 7xf32> -> !nn.rows<records x @tokens x 3xf32>",
                 rows("y", 3)});
  all.push_back({"slice_parameter",
                 "columns of a matrix and of a vector, multiplied, added and read as they are; they meet and leave a gap",
                 {rows("x", 5), fixed("w", {5, 7}), fixed("b", {7}), fixed("u", {3, 11})},
                 "%v = nn.slice %w {offset = 0 : i64} : tensor<5x7xf32> -> tensor<5x3xf32>\n"
                 "    %t = nn.slice %w {offset = 3 : i64} : tensor<5x7xf32> -> tensor<5x4xf32>\n"
                 "    %c = nn.slice %b {offset = 4 : i64} : tensor<7xf32> -> tensor<3xf32>\n"
                 "    %o = nn.slice %u {offset = 5 : i64} : tensor<3x11xf32> -> tensor<3x3xf32>\n"
                 "    %m = nn.matmul %x, %v : !nn.rows<records x @tokens x 5xf32>, tensor<5x3xf32> -> !nn.rows<records x @tokens x 3xf32>\n"
                 "    %a = nn.add %m, %c : !nn.rows<records x @tokens x 3xf32>, tensor<3xf32> -> !nn.rows<records x @tokens x 3xf32>\n"
                 "    %n = nn.matmul %x, %t : !nn.rows<records x @tokens x 5xf32>, tensor<5x4xf32> -> !nn.rows<records x @tokens x 4xf32>\n"
                 "    %k = nn.matmul %n, %t transposed : !nn.rows<records x @tokens x 4xf32>, tensor<5x4xf32> -> !nn.rows<records x "
                 "@tokens x 5xf32>\n"
                 "    %l = nn.matmul %k, %v : !nn.rows<records x @tokens x 5xf32>, tensor<5x3xf32> -> !nn.rows<records x @tokens x 3xf32>\n"
                 "    %s = nn.add %a, %l : !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 3xf32> -> !nn.rows<records x "
                 "@tokens x 3xf32>\n"
                 "    %q = nn.mul %o, %o : tensor<3x3xf32>, tensor<3x3xf32> -> tensor<3x3xf32>\n"
                 "    %p = nn.matmul %s, %q : !nn.rows<records x @tokens x 3xf32>, tensor<3x3xf32> -> !nn.rows<records x @tokens x 3xf32>\n"
                 "    %y = nn.mul %p, %c : !nn.rows<records x @tokens x 3xf32>, tensor<3xf32> -> !nn.rows<records x @tokens x 3xf32>",
                 rows("y", 3)});

  all.push_back({"cross_entropy_rows",
                 "-log softmax(x)[target]",
                 {perRecord("x", 5), classes("t", 5)},
                 "%y = nn.cross_entropy_rows %x, %t : !nn.rows<records x 5xf32>, !nn.rows<records x 1xi32> -> !nn.rows<records x 1xf32>",
                 perRecord("y", 1)});
  all.push_back({"cross_entropy_rows_weighted",
                 "with label smoothing (arXiv 1512.00567) and class weights, as PyTorch's",
                 {perRecord("x", 3), classes("t", 3)},
                 "%y = nn.cross_entropy_rows %x, %t {label_smoothing = 0.1 : f64, class_weights = array<f64: 0.5, 2.0, "
                 "1.25>} : !nn.rows<records x 3xf32>, !nn.rows<records x 1xi32> -> !nn.rows<records x 1xf32>",
                 perRecord("y", 1)});
  // More weights than are chosen by comparisons.
  std::string weights = "0.5";
  for (int c = 1; c < 19; ++c) {
    weights += ", " + std::to_string(0.25 * (c % 7 + 1));
  }
  all.push_back({"cross_entropy_rows_table",
                 "with label smoothing and the weights of nineteen classes, and their mean",
                 {perRecord("x", 19), classes("t", 19)},
                 "%l = nn.cross_entropy_rows %x, %t {label_smoothing = 0.1 : f64, class_weights = array<f64: " + weights +
                     ">} : !nn.rows<records x 19xf32>, !nn.rows<records x 1xi32> -> !nn.rows<records x 1xf32>\n    %w = nn.class_weight %t "
                     "{class_weights = array<f64: " +
                     weights +
                     ">} : !nn.rows<records x 1xi32> -> !nn.rows<records x 1xf32>\n    %s = nn.total %w : !nn.rows<records x 1xf32> -> "
                     "tensor<f32>\n    %y = nn.div %l, %s : "
                     "!nn.rows<records x 1xf32>, tensor<f32> -> !nn.rows<records x 1xf32>",
                 perRecord("y", 1)});
  all.back().local = false;
  all.push_back({"class_weight",
                 "weighted mean: total of losses over total of class weights",
                 {perRecord("x", 3), classes("t", 3)},
                 "%w = nn.class_weight %t {class_weights = array<f64: 0.5, 2.0, 1.25>} : !nn.rows<records x 1xi32> -> "
                 "!nn.rows<records x 1xf32>\n    %s = nn.total %w : !nn.rows<records x 1xf32> -> tensor<f32>\n"
                 "    %y = nn.div %x, %s : !nn.rows<records x 3xf32>, tensor<f32> -> !nn.rows<records x 3xf32>",
                 perRecord("y", 3)});
  all.back().local = false;
  all.push_back({"cross_entropy_tags",
                 "-log softmax(x)[tag] of the tagged rows",
                 {rows("x", 5), tags("t", 5)},
                 "%y = nn.cross_entropy_rows %x, %t : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 1xi32> -> "
                 "!nn.rows<records x @tokens x 1xf32>",
                 rows("y", 1)});
  all.push_back(
      {"class_weight_tags",
       "mean over the tagged rows",
       {rows("x", 3), tags("t", 3)},
       "%w = nn.class_weight %t {class_weights = array<f64>} : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x @tokens x 1xf32>\n"
       "    %s = nn.total %w : !nn.rows<records x @tokens x 1xf32> -> tensor<f32>\n"
       "    %y = nn.div %x, %s : !nn.rows<records x @tokens x 3xf32>, tensor<f32> -> !nn.rows<records x @tokens x 3xf32>",
       rows("y", 3)});
  all.back().local = false;
  all.push_back(
      {"crf_loss",
       "-log p of a linear-chain conditional random field (arXiv 1508.01991)",
       {rows("x", 5), tags("t", 5), fixed("w", {35})},
       "%y, %alpha = nn.crf_loss %x, %t, %w : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 1xi32>, tensor<35xf32> -> "
       "!nn.rows<records x 1xf32>, !nn.rows<records x @tokens x 5xf32>",
       perRecord("y", 1)});
  // Logits that no parameter reaches, because the most likely chain has no derivative.
  all.push_back({"crf_decode",
                 "the most likely chain (Viterbi) with the probabilities of its tags",
                 {rows("x", 3), ids("w", 3)},
                 "%places = nn.constant dense<[[0.3, -1.1, 0.7], [-0.4, 0.9, 0.2], [1.3, -0.6, -0.1], [0.1, 0.8, -0.9], "
                 "[-0.2, 0.05, 0.6]]> : tensor<5x3xf32> : tensor<5x3xf32>\n"
                 "    %table = nn.constant dense<[[0.2, -0.7, 0.4, 1.1, -0.3, 0.05, -0.9, 0.6, 0.35, 0.15, -0.25, 0.45, -0.5, "
                 "0.75, 0.1]]> : tensor<1x15xf32> : tensor<1x15xf32>\n"
                 "    %rows = nn.position_rows %table : tensor<1x15xf32> -> !nn.rows<records x @tokens x 15xf32>\n"
                 "    %first = nn.segment_first %rows : !nn.rows<records x @tokens x 15xf32> -> !nn.rows<records x 15xf32>\n"
                 "    %sum = nn.column_sum %first : !nn.rows<records x 15xf32> -> tensor<15xf32>\n"
                 "    %n = nn.record_count : tensor<f32>\n"
                 "    %between = nn.div %sum, %n : tensor<15xf32>, tensor<f32> -> tensor<15xf32>\n"
                 "    %c = nn.counts %w : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x 3xf32>\n"
                 "    %b = nn.broadcast_records %c : !nn.rows<records x 3xf32> -> !nn.rows<records x @tokens x 3xf32>\n"
                 "    %h = nn.tanh %b : !nn.rows<records x @tokens x 3xf32>\n"
                 "    %p = nn.position_rows %places : tensor<5x3xf32> -> !nn.rows<records x @tokens x 3xf32>\n"
                 "    %l = nn.add %h, %p : !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 3xf32> -> !nn.rows<records x "
                 "@tokens x 3xf32>\n"
                 "    %d, %alpha, %back = nn.crf_decode %l, %between : !nn.rows<records x @tokens x 3xf32>, tensor<15xf32> -> "
                 "!nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 3xi32>\n"
                 "    %y = nn.mul %x, %d : !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 3xf32> -> !nn.rows<records x "
                 "@tokens x 3xf32>",
                 rows("y", 3)});
  all.back().local = false; // the mean over the records that makes a matrix of the table
  all.push_back({"record_count",
                 "mean over the records",
                 {perRecord("x", 3)},
                 "%n = nn.record_count : tensor<f32>\n"
                 "    %y = nn.div %x, %n : !nn.rows<records x 3xf32>, tensor<f32> -> !nn.rows<records x 3xf32>",
                 perRecord("y", 3)});
  all.back().local = false;

  all.push_back({"row_count",
                 "mean over the rows of an axis",
                 {rows("x", 3)},
                 "%n = nn.row_count !nn.rows<records x @tokens x 1xf32> : tensor<f32>\n"
                 "    %y = nn.div %x, %n : !nn.rows<records x @tokens x 3xf32>, tensor<f32> -> !nn.rows<records x @tokens x 3xf32>",
                 rows("y", 3)});
  all.back().local = false;

  all.push_back({"matmul",
                 "rows times a matrix",
                 {rows("x", 7), fixed("w", {7, 11})},
                 "%y = nn.matmul %x, %w : !nn.rows<records x @tokens x 7xf32>, tensor<7x11xf32> -> !nn.rows<records x @tokens x 11xf32>",
                 rows("y", 11)});
  all.push_back({"matmul_transposed",
                 "rows times the transpose of a matrix",
                 {perRecord("x", 7), fixed("w", {11, 7})},
                 "%y = nn.matmul %x, %w transposed : !nn.rows<records x 7xf32>, tensor<11x7xf32> -> !nn.rows<records x 11xf32>",
                 perRecord("y", 11)});
  all.push_back({"embedding",
                 "table rows by id",
                 {ids("w", 13), fixed("t", {13, 5})},
                 "%y = nn.embedding %w, %t : !nn.rows<records x @tokens x 1xi32>, tensor<13x5xf32> -> !nn.rows<records x @tokens x 5xf32>",
                 rows("y", 5)});
  all.push_back({"embedding_nullable",
                 "zeros where there is no id",
                 {classes("t", 13), fixed("w", {13, 5})},
                 "%y = nn.embedding %t, %w {nullable} : !nn.rows<records x 1xi32>, tensor<13x5xf32> -> !nn.rows<records x 5xf32>",
                 perRecord("y", 5)});
  all.push_back({"one_hot",
                 "1 at the place of the id; zeros where there is none",
                 {classes("t", 7), perRecord("x", 7)},
                 "%h = nn.one_hot %t : !nn.rows<records x 1xi32> -> !nn.rows<records x 7xf32>\n"
                 "    %y = nn.mul %x, %h : !nn.rows<records x 7xf32>, !nn.rows<records x 7xf32> -> !nn.rows<records x 7xf32>",
                 perRecord("y", 7)});
  all.push_back({"position_rows",
                 "table rows by place; the last one beyond the table",
                 {fixed("t", {5, 3})},
                 "%y = nn.position_rows %t : tensor<5x3xf32> -> !nn.rows<records x @tokens x 3xf32>",
                 rows("y", 3)});
  all.push_back({"segment_rows",
                 "table rows by which text of a pair the row is of",
                 {fixed("t", {2, 3})},
                 "%y = nn.position_rows %t {of = \"segment\"} : tensor<2x3xf32> -> !nn.rows<records x @tokens x 3xf32>",
                 rows("y", 3)});
  all.push_back({"counts",
                 "occurrences of each id in the record",
                 {ids("w", 13), perRecord("x", 13)},
                 "%c = nn.counts %w : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x 13xf32>\n"
                 "    %y = nn.mul %x, %c : !nn.rows<records x 13xf32>, !nn.rows<records x 13xf32> -> !nn.rows<records x 13xf32>",
                 perRecord("y", 13)});
  all.push_back({"weighted_counts",
                 "sum of the weights of each id in the record",
                 {ids("w", 13), perRecord("x", 13)},
                 "%o = nn.occurrences %w : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x @tokens x 1xf32>\n"
                 "    %c = nn.weighted_counts %w, %o : !nn.rows<records x @tokens x 1xi32>, !nn.rows<records x @tokens x 1xf32> -> "
                 "!nn.rows<records x 13xf32>\n"
                 "    %y = nn.mul %x, %c : !nn.rows<records x 13xf32>, !nn.rows<records x 13xf32> -> !nn.rows<records x 13xf32>",
                 perRecord("y", 13)});
  all.push_back({"occurrences",
                 "how often each row's id stands in its record",
                 {ids("w", 5), rows("x", 1)},
                 "%o = nn.occurrences %w : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x @tokens x 1xf32>\n"
                 "    %y = nn.mul %x, %o : !nn.rows<records x @tokens x 1xf32>, !nn.rows<records x @tokens x 1xf32> -> "
                 "!nn.rows<records x @tokens x 1xf32>",
                 rows("y", 1)});
  all.push_back({"bag_sum",
                 "sum of the table rows of a record's ids",
                 {ids("w", 13), fixed("t", {13, 5})},
                 "%y = nn.bag_sum %w, %t : !nn.rows<records x @tokens x 1xi32>, tensor<13x5xf32> -> !nn.rows<records x 5xf32>",
                 perRecord("y", 5)});
  for (std::int64_t width : {2, 3, 5}) {
    std::string weight = "tensor<" + std::to_string(width) + "x7x11xf32>";
    all.push_back({"conv1d_" + std::to_string(width),
                   "convolution of the same length, zeros outside the record",
                   {rows("x", 7), fixed("w", {width, 7, 11})},
                   "%y = nn.conv1d %x, %w : !nn.rows<records x @tokens x 7xf32>, " + weight + " -> !nn.rows<records x @tokens x 11xf32>",
                   rows("y", 11)});
    all.push_back({"conv1d_max_" + std::to_string(width),
                   "convolution and the maximum over the record's rows",
                   {rows("x", 7), fixed("w", {width, 7, 11})},
                   "%y, %at = nn.conv1d_max %x, %w : !nn.rows<records x @tokens x 7xf32>, " + weight +
                       " -> !nn.rows<records x 11xf32>, !nn.rows<records x 11xi32>",
                   perRecord("y", 11)});
  }

  all.push_back({"segment_sum",
                 "sum of a record's rows",
                 {rows("x", 5)},
                 "%y = nn.segment_sum %x : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>",
                 perRecord("y", 5)});
  all.push_back({"segment_length",
                 "mean of a record's rows",
                 {rows("x", 5)},
                 "%s = nn.segment_sum %x : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>\n"
                 "    %n = nn.segment_length @tokens : !nn.rows<records x 1xf32>\n"
                 "    %y = nn.div %s, %n : !nn.rows<records x 5xf32>, !nn.rows<records x 1xf32> -> !nn.rows<records x 5xf32>",
                 perRecord("y", 5)});
  all.push_back({"broadcast_records",
                 "the record's row for each of its rows",
                 {perRecord("x", 5)},
                 "%y = nn.broadcast_records %x : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>",
                 rows("y", 5)});
  all.push_back(
      {"segment_max",
       "maximum of a record's rows",
       {rows("x", 5)},
       "%y, %at = nn.segment_max %x : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>, !nn.rows<records x 5xi32>",
       perRecord("y", 5)});
  all.push_back({"segment_softmax",
                 "shares of a record's rows, column by column",
                 {rows("x", 5)},
                 "%y = nn.segment_softmax %x : !nn.rows<records x @tokens x 5xf32>",
                 rows("y", 5)});
  for (const bool backward : {false, true}) {
    all.push_back(
        {backward ? "running_sum_backward" : "running_sum",
         "sum of a record's rows up to each, or from each on",
         {rows("x", 13)},
         std::string("%y = nn.running_sum %x {backward = ") + (backward ? "1" : "0") + " : i64} : !nn.rows<records x @tokens x 13xf32>",
         rows("y", 13)});
  }
  all.push_back({"segment_first",
                 "first row of a record",
                 {rows("x", 5)},
                 "%y = nn.segment_first %x : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>",
                 perRecord("y", 5)});
  all.push_back({"attention",
                 "softmax(q k^T / sqrt(width)) v in every head (arXiv 1706.03762)",
                 {rows("x", 18)},
                 "%y, %lse = nn.attention %x {heads = 2 : i64} : !nn.rows<records x @tokens x 18xf32> -> "
                 "!nn.rows<records x @tokens x 6xf32>, !nn.rows<records x @tokens x 2xf32>",
                 rows("y", 6)});
  all.push_back({"attention_dropout",
                 "attention with dropout on the probabilities",
                 {rows("x", 18)},
                 "%y, %lse = nn.attention %x {heads = 2 : i64, dropout = 0.3 : f64, key = 41 : i64} : "
                 "!nn.rows<records x @tokens x 18xf32> -> !nn.rows<records x @tokens x 6xf32>, !nn.rows<records x @tokens x 2xf32>",
                 rows("y", 6)});
  for (bool dropout : {false, true}) {
    all.push_back(
        {dropout ? "attention_first_dropout" : "attention_first",
         "attention of the first rows over all rows",
         {perRecord("q", 6), rows("x", 12)},
         std::string("%y, %lse = nn.attention_first %q, %x {heads = 2 : i64") + (dropout ? ", dropout = 0.3 : f64, key = 41 : i64" : "") +
             "} : !nn.rows<records x 6xf32>, !nn.rows<records x @tokens x 12xf32> -> !nn.rows<records x 6xf32>, !nn.rows<records x 2xf32>",
         perRecord("y", 6)});
  }

  // Compositions: values with two readers, weights with two uses, and what the fusions look for.
  all.push_back({"residual_block",
                 "x + f(norm(x)), weights used twice",
                 {rows("x", 5), fixed("w", {5, 5}), fixed("g", {5}), fixed("b", {5})},
                 "%n, %rstd = nn.normalize %x {epsilon = 1.0e-5 : f64} : !nn.rows<records x @tokens x 5xf32> -> "
                 "!nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 1xf32>\n"
                 "    %s = nn.mul %n, %g : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>\n"
                 "    %m = nn.matmul %s, %w : !nn.rows<records x @tokens x 5xf32>, tensor<5x5xf32> -> !nn.rows<records x @tokens x 5xf32>\n"
                 "    %a = nn.add %m, %b : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>\n"
                 "    %h = nn.gelu %a : !nn.rows<records x @tokens x 5xf32>\n"
                 "    %k = nn.matmul %h, %w transposed : !nn.rows<records x @tokens x 5xf32>, tensor<5x5xf32> -> "
                 "!nn.rows<records x @tokens x 5xf32>\n"
                 "    %y = nn.add %x, %k : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 5xf32> -> "
                 "!nn.rows<records x @tokens x 5xf32>",
                 rows("y", 5)});
  all.push_back(
      {"cnn",
       "max over relu(conv1d + bias)",
       {rows("x", 7), fixed("w", {3, 7, 5}), fixed("b", {5})},
       "%c = nn.conv1d %x, %w : !nn.rows<records x @tokens x 7xf32>, tensor<3x7x5xf32> -> !nn.rows<records x @tokens x 5xf32>\n"
       "    %a = nn.add %c, %b : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>\n"
       "    %r = nn.relu %a : !nn.rows<records x @tokens x 5xf32>\n"
       "    %y, %at = nn.segment_max %r : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>, !nn.rows<records x 5xi32>",
       perRecord("y", 5)});
  all.push_back({"words",
                 "counts times a matrix",
                 {ids("w", 13), fixed("t", {13, 3})},
                 "%c = nn.counts %w : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x 13xf32>\n"
                 "    %y = nn.matmul %c, %t : !nn.rows<records x 13xf32>, tensor<13x3xf32> -> !nn.rows<records x 3xf32>",
                 perRecord("y", 3)});
  all.push_back({"last_layer",
                 "what only the first row of a record is read of, after rows met",
                 {rows("x", 5), fixed("w", {5, 5}), fixed("b", {5}), fixed("u", {5, 7})},
                 "%m = nn.matmul %x, %w : !nn.rows<records x @tokens x 5xf32>, tensor<5x5xf32> -> !nn.rows<records x @tokens x 5xf32>\n"
                 "    %a = nn.add %m, %b : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>\n"
                 "    %d = nn.dropout %a {p = 0.3 : f64, key = 17 : i64} : !nn.rows<records x @tokens x 5xf32>\n"
                 "    %s = nn.add %x, %d : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x "
                 "@tokens x 5xf32>\n"
                 "    %n, %rstd = nn.normalize %s {epsilon = 1.0e-5 : f64} : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x "
                 "@tokens x 5xf32>, "
                 "!nn.rows<records x @tokens x 1xf32>\n"
                 "    %f = nn.matmul %n, %u : !nn.rows<records x @tokens x 5xf32>, tensor<5x7xf32> -> !nn.rows<records x @tokens x 7xf32>\n"
                 "    %g = nn.gelu %f : !nn.rows<records x @tokens x 7xf32>\n"
                 "    %h = nn.matmul %g, %u transposed : !nn.rows<records x @tokens x 7xf32>, tensor<5x7xf32> -> !nn.rows<records x "
                 "@tokens x 5xf32>\n"
                 "    %p = nn.softmax %h : !nn.rows<records x @tokens x 5xf32>\n"
                 "    %c = nn.row_sum %s : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 1xf32>\n"
                 "    %e = nn.mul %p, %c : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 1xf32> -> !nn.rows<records x "
                 "@tokens x 5xf32>\n"
                 "    %k = nn.segment_sum %x : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>\n"
                 "    %r = nn.broadcast_records %k : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>\n"
                 "    %t = nn.add %e, %r : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x "
                 "@tokens x 5xf32>\n"
                 "    %o = nn.concat %t, %g : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 7xf32> -> !nn.rows<records "
                 "x @tokens x 12xf32>\n"
                 "    %y = nn.segment_first %o : !nn.rows<records x @tokens x 12xf32> -> !nn.rows<records x 12xf32>",
                 perRecord("y", 12)});
  all.push_back({"last_attention",
                 "attention of which only the first rows are read, its queries, keys and values made by one matmul",
                 {rows("x", 6), fixed("w", {6, 18}), fixed("b", {18}), fixed("u", {6, 6})},
                 "%m = nn.matmul %x, %w : !nn.rows<records x @tokens x 6xf32>, tensor<6x18xf32> -> !nn.rows<records x @tokens x 18xf32>\n"
                 "    %a = nn.add %m, %b : !nn.rows<records x @tokens x 18xf32>, tensor<18xf32> -> !nn.rows<records x @tokens x 18xf32>\n"
                 "    %o, %lse = nn.attention %a {heads = 3 : i64, dropout = 0.2 : f64, key = 23 : i64} : "
                 "!nn.rows<records x @tokens x 18xf32> -> !nn.rows<records x @tokens x 6xf32>, !nn.rows<records x @tokens x 3xf32>\n"
                 "    %p = nn.matmul %o, %u : !nn.rows<records x @tokens x 6xf32>, tensor<6x6xf32> -> !nn.rows<records x @tokens x 6xf32>\n"
                 "    %s = nn.add %x, %p : !nn.rows<records x @tokens x 6xf32>, !nn.rows<records x @tokens x 6xf32> -> !nn.rows<records x "
                 "@tokens x 6xf32>\n"
                 "    %y = nn.segment_first %s : !nn.rows<records x @tokens x 6xf32> -> !nn.rows<records x 6xf32>",
                 perRecord("y", 6)});
  all.push_back(longChain());
  all.push_back(manyParts());
  return all;
}

} // namespace

const std::vector<Record> &records() {
  static const std::vector<Record> all = make();
  return all;
}

} // namespace penstock::conformance
