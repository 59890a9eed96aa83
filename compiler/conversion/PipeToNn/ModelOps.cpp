// The operations of docs/design/builtins.md as Nn ops.
#include "compiler/conversion/PipeToNn/ModelBuilder.h"
#include "compiler/frontend/operations.h"

#include "llvm/ADT/StringMap.h"

#include <cmath>

using namespace mlir;

namespace penstock {

/// One operation under construction. Its functions report what is wrong at the operation's place and return failure.
struct ModelBuilder::Call {
  ModelBuilder &model;
  StringRef name;
  ArrayRef<Value> operands;
  const frontend::Attributes &attributes;
  StringRef path;
  Location loc;
  OpBuilder &b;

  //===--- what the operation is given ------------------------------------------------------------------------------===//

  InFlightDiagnostic fail() { return emitError(loc, "`") << name << "` "; }

  bool operandCount(size_t least, size_t most) {
    if (operands.size() < least || operands.size() > most) {
      fail() << "cannot have " << operands.size() << " operands";
      return false;
    }
    return true;
  }

  bool isFloat(Value v) { return nn::elementTypeOf(v.getType()).isF32(); }
  bool isSequence(Value v) { return nn::isOnAxis(v.getType()); }
  bool isRecords(Value v) { return nn::rowsOf(v.getType()).kind == nn::RowsOf::Kind::records; }
  int64_t width(Value v) { return nn::widthOf(v.getType()); }
  bool hasRank(Value v, int64_t rank) {
    auto tensor = dyn_cast<RankedTensorType>(v.getType());
    return tensor && tensor.getRank() == rank;
  }
  bool rows(Value v) {
    if (!isFloat(v) || nn::rowsOf(v.getType()).kind == nn::RowsOf::Kind::fixed) {
      fail() << "wants rows of numbers, not " << v.getType();
      return false;
    }
    return true;
  }

  /// What the call says, else the default of the table. An operation that the table lacks says all.
  frontend::Attribute attribute(const char *key, frontend::Attribute otherwise) {
    if (auto found = attributes.find(key); found != attributes.end()) {
      return found->second;
    }
    if (const frontend::BuiltinOp *op = frontend::findBuiltin(name)) {
      for (const frontend::ParameterSpec &parameter : op->signature.parameters) {
        if (parameter.name == key && !parameter.required) {
          return frontend::defaultOf(parameter);
        }
      }
    }
    return otherwise;
  }
  double number(const char *key, double otherwise = 0) {
    frontend::Attribute held = attribute(key, otherwise);
    if (auto *v = std::get_if<int64_t>(&held)) {
      return static_cast<double>(*v);
    }
    auto *v = std::get_if<double>(&held);
    return v ? *v : otherwise;
  }
  int64_t integer(const char *key, int64_t otherwise = 0) {
    frontend::Attribute held = attribute(key, otherwise);
    auto *v = std::get_if<int64_t>(&held);
    return v ? *v : otherwise;
  }
  std::string text(const char *key) {
    frontend::Attribute held = attribute(key, std::string());
    auto *v = std::get_if<std::string>(&held);
    return v ? *v : std::string();
  }
  SmallVector<double> numbers(const char *key) {
    auto found = attributes.find(key);
    if (found != attributes.end()) {
      if (auto *v = std::get_if<std::vector<double>>(&found->second)) {
        return SmallVector<double>(v->begin(), v->end());
      }
      if (auto *v = std::get_if<std::vector<int64_t>>(&found->second)) {
        return llvm::map_to_vector(*v, [](int64_t n) { return static_cast<double>(n); });
      }
    }
    return {};
  }

  //===--- pieces ---------------------------------------------------------------------------------------------------===//

  Type scalarType() { return RankedTensorType::get({}, b.getF32Type()); }
  Value scalar(double value) {
    auto type = cast<RankedTensorType>(scalarType());
    return nn::ConstantOp::create(b, loc, type, DenseElementsAttr::get(type, static_cast<float>(value)));
  }
  /// A loss: items and weights are rows, or scalars that are sums already.
  Value mean(Value items, Value weights) { return nn::MeanOp::create(b, loc, scalarType(), items, weights); }
  Value recordCount() { return nn::RecordCountOp::create(b, loc, scalarType()); }
  Value total(Value v) { return nn::TotalOp::create(b, loc, scalarType(), v); }

  bool oneFloat() {
    if (!operandCount(1, 1)) {
      return false;
    }
    if (!isFloat(operands[0])) {
      fail() << "wants numbers, not ids";
      return false;
    }
    return true;
  }

  template <typename Op> FailureOr<Value> unary() {
    if (!oneFloat()) {
      return failure();
    }
    return Value(Op::create(b, loc, operands[0].getType(), operands[0]));
  }

  /// The Nn op of that name, with the call's numbers.
  FailureOr<Value> elementwise() {
    if (!oneFloat()) {
      return failure();
    }
    OperationState state(loc, ("nn." + name).str(), operands, TypeRange(operands[0].getType()));
    if (const frontend::BuiltinOp *op = frontend::findBuiltin(name)) {
      for (const frontend::ParameterSpec &parameter : op->signature.parameters) {
        state.addAttribute(parameter.name, b.getF64FloatAttr(number(parameter.name.c_str())));
      }
    }
    return b.create(state)->getResult(0);
  }

  /// A binary op whose narrower side may stand on either side.
  FailureOr<Value> binary() {
    if (!operandCount(2, 2)) {
      return failure();
    }
    Value x = operands[0], y = operands[1];
    if (!isFloat(x) || !isFloat(y)) {
      fail() << "wants numbers, not ids";
      return failure();
    }
    if (nn::broadcasts(y.getType(), x.getType())) {
      return name == "add"   ? Value(nn::AddOp::create(b, loc, x, y))
             : name == "sub" ? Value(nn::SubOp::create(b, loc, x, y))
             : name == "mul" ? Value(nn::MulOp::create(b, loc, x, y))
                             : Value(nn::DivOp::create(b, loc, x, y));
    }
    if (!nn::broadcasts(x.getType(), y.getType())) {
      fail() << "has operands that do not fit: " << x.getType() << " and " << y.getType();
      return failure();
    }
    if (name == "add") {
      return Value(nn::AddOp::create(b, loc, y, x));
    }
    if (name == "mul") {
      return Value(nn::MulOp::create(b, loc, y, x));
    }
    if (name == "sub") { // x - y = -y + x
      return Value(nn::AddOp::create(b, loc, nn::NegOp::create(b, loc, y.getType(), y), x));
    }
    if (!nn::isScalar(x.getType()) && nn::widthOf(x.getType()) != 1) {
      fail() << "cannot divide " << x.getType() << " by " << y.getType();
      return failure();
    }
    return Value(nn::DivOp::create(b, loc, nn::SpreadOp::create(b, loc, y.getType(), x, y), y));
  }

  FailureOr<Value> matmul(Value x, Value weight) {
    if (!rows(x)) {
      return failure();
    }
    if (!hasRank(weight, 2) || cast<RankedTensorType>(weight.getType()).getDimSize(0) != width(x)) {
      fail() << "wants a weight of " << width(x) << " rows, not " << weight.getType();
      return failure();
    }
    int64_t n = cast<RankedTensorType>(weight.getType()).getDimSize(1);
    return Value(nn::MatmulOp::create(b, loc, nn::withWidth(x.getType(), n), x, weight, /*transposed=*/false));
  }

  FailureOr<Value> plusBias(FailureOr<Value> x, Value bias) {
    if (failed(x)) {
      return failure();
    }
    if (!hasRank(bias, 1) || width(bias) != width(*x)) {
      fail() << "wants a bias of " << width(*x) << " numbers, not " << bias.getType();
      return failure();
    }
    return Value(nn::AddOp::create(b, loc, *x, bias));
  }

  //===--- operations -----------------------------------------------------------------------------------------------===//

  FailureOr<Value> linear() {
    if (!operandCount(2, 3)) {
      return failure();
    }
    FailureOr<Value> y = matmul(operands[0], operands[1]);
    return operands.size() == 3 ? plusBias(y, operands[2]) : y;
  }

  FailureOr<Value> embedding() {
    if (!operandCount(2, 2)) {
      return failure();
    }
    if (isFloat(operands[0]) || !hasRank(operands[1], 2)) {
      fail() << "wants ids and a matrix, not " << operands[0].getType() << " and " << operands[1].getType();
      return failure();
    }
    int64_t n = width(operands[1]);
    // Train may lack the class of a record; every token has a row.
    const bool nullable = nn::rowsOf(operands[0].getType()).kind == nn::RowsOf::Kind::records;
    return Value(
        nn::EmbeddingOp::create(b, loc, nn::withWidth(operands[0].getType(), n, b.getF32Type()), operands[0], operands[1], nullable));
  }

  FailureOr<Value> oneHot() {
    if (!operandCount(1, 1)) {
      return failure();
    }
    int64_t values = integer("values");
    if (isFloat(operands[0]) || values < 1) {
      fail() << "wants ids or classes, and how many there are";
      return failure();
    }
    return Value(nn::OneHotOp::create(b, loc, nn::withWidth(operands[0].getType(), values, b.getF32Type()), operands[0]));
  }

  /// Sinusoids of arXiv 1706.03762, 3.5: sin at even columns, cos at odd ones.
  Value sinusoids(int64_t places, int64_t w) {
    std::vector<float> table(static_cast<size_t>(places * w));
    for (int64_t place = 0; place < places; ++place) {
      for (int64_t column = 0; column < w; ++column) {
        double exponent = static_cast<double>(column - column % 2) / static_cast<double>(w);
        double angle = static_cast<double>(place) / std::pow(10000.0, exponent);
        table[static_cast<size_t>(place * w + column)] = static_cast<float>(column % 2 == 0 ? std::sin(angle) : std::cos(angle));
      }
    }
    auto type = RankedTensorType::get({places, w}, b.getF32Type());
    return nn::ConstantOp::create(b, loc, type, DenseElementsAttr::get(type, ArrayRef<float>(table)));
  }

  FailureOr<Value> positions() {
    std::string kind = text("kind");
    size_t count = kind == "learned" ? 2 : 1;
    if (!operandCount(count, count)) {
      return failure();
    }
    Value x = operands[0];
    int64_t places = integer("max");
    if (!isSequence(x) || !isFloat(x)) {
      fail() << "wants a sequence";
      return failure();
    }
    if (places < 1 || places > (int64_t(1) << 20) || width(x) > (int64_t(1) << 24) / places) {
      fail() << "cannot have " << places << " places of width " << width(x);
      return failure();
    }
    if (kind == "learned" && (!hasRank(operands[1], 2) || width(operands[1]) != width(x))) {
      fail() << "wants a table as wide as the sequence, not " << operands[1].getType();
      return failure();
    }
    Value table = kind == "learned" ? operands[1] : sinusoids(places, width(x));
    return Value(nn::AddOp::create(b, loc, x, nn::PositionRowsOp::create(b, loc, x.getType(), table, b.getStringAttr("position"))));
  }

  /// The table row of each token's text in a pair.
  FailureOr<Value> segments() {
    if (!operandCount(2, 2)) {
      return failure();
    }
    Value x = operands[0], table = operands[1];
    if (!isSequence(x) || !isFloat(x) || !hasRank(table, 2) || width(table) != width(x)) {
      fail() << "wants a sequence and a table as wide, not " << x.getType() << " and " << table.getType();
      return failure();
    }
    return Value(nn::AddOp::create(b, loc, x, nn::PositionRowsOp::create(b, loc, x.getType(), table, b.getStringAttr("segment"))));
  }

  /// The approximation of arXiv 1606.08415, 2: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
  FailureOr<Value> geluNew() {
    if (!operandCount(1, 1) || !rows(operands[0])) {
      return failure();
    }
    Value x = operands[0];
    auto times = [&](Value left, Value right) -> Value { return nn::MulOp::create(b, loc, left, right); };
    auto plus = [&](Value left, Value right) -> Value { return nn::AddOp::create(b, loc, left, right); };
    Value cube = times(times(x, x), x);
    Value inner = times(plus(x, times(cube, scalar(0.044715))), scalar(std::sqrt(2 / M_PI)));
    Value gate = plus(nn::TanhOp::create(b, loc, x.getType(), inner), scalar(1));
    return times(times(x, scalar(0.5)), gate);
  }

  FailureOr<Value> layerNorm() {
    if (!operandCount(3, 3) || !rows(operands[0])) {
      return failure();
    }
    Value x = operands[0];
    for (Value v : operands.drop_front()) {
      if (!hasRank(v, 1) || width(v) != width(x)) {
        fail() << "wants a weight and a bias of " << width(x) << " numbers, not " << v.getType();
        return failure();
      }
    }
    auto normal = nn::NormalizeOp::create(b, loc, x.getType(), nn::withWidth(x.getType(), 1), x, b.getF64FloatAttr(number("epsilon")));
    Value scaled = nn::MulOp::create(b, loc, normal.getResult(), operands[1]);
    return Value(nn::AddOp::create(b, loc, scaled, operands[2]));
  }

  /// What a step makes of the rows of a part. It adds to the statistics that evaluation uses; of fewer than two rows there are none, so
  /// that such a part takes those, as numbers: `many` is 1, else 0, and what is multiplied by 0 is finite.
  LogicalResult takeStatistics(Value x, Value &mean, Value &variance) {
    auto plus = [&](Value left, Value right) -> Value { return nn::AddOp::create(b, loc, left, right); };
    auto minus = [&](Value left, Value right) -> Value { return nn::SubOp::create(b, loc, left, right); };
    auto times = [&](Value left, Value right) -> Value { return nn::MulOp::create(b, loc, left, right); };
    auto over = [&](Value left, Value right) -> Value { return nn::DivOp::create(b, loc, left, right); };
    auto relu = [&](Value v) -> Value { return nn::ReluOp::create(b, loc, v.getType(), v); };
    auto columnSum = [&](Value v) -> Value { return nn::ColumnSumOp::create(b, loc, mean.getType(), v); };
    Value one = scalar(1), count = nn::rowCount(b, loc, nn::rowsOf(x.getType()));
    Value beyondOne = relu(minus(count, one)), beyondTwo = relu(minus(count, scalar(2)));
    Value many = minus(beyondOne, beyondTwo), few = minus(one, many);
    auto orElse = [&](Value ofMany, Value ofFew) { return plus(times(ofMany, many), times(ofFew, few)); };

    Value n = plus(beyondOne, one), ownMean = over(columnSum(x), n);
    Value centered = minus(x, ownMean), squares = columnSum(times(centered, centered));
    Value ownVariance = over(squares, n), unbiased = over(squares, plus(beyondTwo, one));
    Value usedMean = orElse(ownMean, mean), usedVariance = orElse(ownVariance, variance);

    const double momentum = number("momentum");
    auto move = [&](Value state, Value statistic) {
      Value before = model.latest(state);
      Value moved = plus(times(before, scalar(1 - momentum)), times(statistic, scalar(momentum)));
      model.update(state, orElse(moved, before), centered);
    };
    move(mean, ownMean);
    move(variance, unbiased);
    const int objective = model.specOf(mean)->learning.objective;
    mean = nn::InTrainingOp::create(b, loc, usedMean, mean);
    variance = nn::InTrainingOp::create(b, loc, usedVariance, variance);
    return model.count(
        (path + ".parts_of_one_row").str(),
        "`batch_norm` normalized parts of a step that have one row, which has no variance, by the running statistics and took "
        "none from them; choose a `batch` that leaves more records for the last part of an epoch",
        objective, few, centered, loc);
  }

  /// (x - mean) / sqrt(variance + epsilon) of each column, times weight, plus bias.
  FailureOr<Value> batchNorm() {
    if (!operandCount(5, 5) || !rows(operands[0])) {
      return failure();
    }
    Value x = operands[0], mean = operands[3], variance = operands[4];
    for (Value v : operands.drop_front()) {
      if (!hasRank(v, 1) || width(v) != width(x)) {
        fail() << "wants weight, bias, mean and variance of " << width(x) << " numbers each, not " << v.getType();
        return failure();
      }
    }
    const ModelBuilder::ParameterSpec *states[] = {model.specOf(mean), model.specOf(variance)};
    if (llvm::any_of(states, [](const ModelBuilder::ParameterSpec *state) { return !state || state->tensorClass != "model_state"; })) {
      fail() << "keeps mean and variance in states of the model";
      return failure();
    }
    // Frozen statistics are those of evaluation, in a step too.
    if (!(states[0]->learning.frozen && states[1]->learning.frozen) && failed(takeStatistics(x, mean, variance))) {
      return failure();
    }
    Value deviation = nn::SqrtOp::create(b, loc, mean.getType(), nn::AddOp::create(b, loc, variance, scalar(number("epsilon"))));
    Value scale = nn::DivOp::create(b, loc, operands[1], deviation);
    Value scaled = nn::MulOp::create(b, loc, nn::SubOp::create(b, loc, x, mean), scale);
    return Value(nn::AddOp::create(b, loc, scaled, operands[2]));
  }

  FailureOr<Value> dropout() {
    if (!operandCount(1, 1) || !rows(operands[0])) {
      return failure();
    }
    double p = number("p", 0.5);
    if (!(p >= 0 && p < 1)) {
      fail() << "drops with a probability in [0, 1), not " << p;
      return failure();
    }
    if (p == 0) {
      return operands[0];
    }
    return Value(nn::DropoutOp::create(b, loc, operands[0].getType(), operands[0], b.getF64FloatAttr(p),
                                       b.getI64IntegerAttr(model.randomKey(path))));
  }

  FailureOr<Value> constant() {
    if (!operandCount(0, 0)) {
      return failure();
    }
    return scalar(number("value"));
  }

  FailureOr<Value> concat() {
    if (!operandCount(1, ~size_t(0))) {
      return failure();
    }
    int64_t sum = 0;
    for (Value v : operands) {
      if (!rows(v)) {
        return failure();
      }
      if (!(nn::rowsOf(v.getType()) == nn::rowsOf(operands[0].getType()))) {
        fail() << "wants operands with the same rows, not " << operands[0].getType() << " and " << v.getType();
        return failure();
      }
      sum += width(v);
    }
    if (operands.size() == 1) {
      return operands[0];
    }
    return Value(nn::ConcatOp::create(b, loc, nn::withWidth(operands[0].getType(), sum), operands));
  }

  FailureOr<Value> conv1d() {
    if (!operandCount(2, 3) || !rows(operands[0])) {
      return failure();
    }
    Value x = operands[0], weight = operands[1];
    if (!isSequence(x) || !hasRank(weight, 3) || cast<RankedTensorType>(weight.getType()).getDimSize(1) != width(x)) {
      fail() << "wants a sequence and a weight of width x " << width(x) << " x maps, not " << x.getType() << " and " << weight.getType();
      return failure();
    }
    int64_t maps = cast<RankedTensorType>(weight.getType()).getDimSize(2);
    FailureOr<Value> y = Value(nn::Conv1dOp::create(b, loc, nn::withWidth(x.getType(), maps), x, weight));
    return operands.size() == 3 ? plusBias(y, operands[2]) : y;
  }

  FailureOr<Value> softmax() {
    if (text("over") != "record") {
      return unary<nn::SoftmaxOp>();
    }
    if (operands.size() == 1 && !isSequence(operands[0])) {
      fail() << "wants a sequence where the sum is over the record";
      return failure();
    }
    return unary<nn::SegmentSoftmaxOp>();
  }

  FailureOr<Value> runningSum() {
    if (!oneFloat()) {
      return failure();
    }
    if (!isSequence(operands[0])) {
      fail() << "wants a sequence";
      return failure();
    }
    const int64_t backward = text("order") == "backward" ? 1 : 0;
    return Value(nn::RunningSumOp::create(b, loc, operands[0].getType(), operands[0], b.getI64IntegerAttr(backward)));
  }

  FailureOr<Value> pool() {
    if (!operandCount(1, 1)) {
      return failure();
    }
    Value x = operands[0];
    if (!isSequence(x) || !isFloat(x)) {
      fail() << "wants a sequence";
      return failure();
    }
    std::string kind = text("kind");
    Type type = nn::parentType(x.getType());
    if (kind == "max") {
      return Value(nn::SegmentMaxOp::create(b, loc, type, nn::parentType(x.getType(), 0, b.getI32Type()), x).getResult());
    }
    if (kind == "first") {
      return Value(nn::SegmentFirstOp::create(b, loc, type, x));
    }
    if (kind == "mean" || kind == "sum") {
      Value sum = nn::SegmentSumOp::create(b, loc, type, x);
      if (kind == "sum") {
        return sum;
      }
      Value length = nn::segmentLength(b, loc, nn::rowsOf(x.getType()));
      return Value(nn::DivOp::create(b, loc, sum, length));
    }
    fail() << "pools by max, mean, sum or first, not `" << kind << "`";
    return failure();
  }

  FailureOr<Value> selfAttention() {
    if (!operandCount(5, 5) || !rows(operands[0])) {
      return failure();
    }
    Value x = operands[0];
    int64_t heads = integer("heads", 1);
    if (!isSequence(x) || heads < 1 || width(x) % heads != 0) {
      fail() << "wants a sequence whose width is a multiple of " << heads << " heads, not " << x.getType();
      return failure();
    }
    double p = number("dropout");
    if (!(p >= 0 && p < 1)) {
      fail() << "drops with a probability in [0, 1), not " << p;
      return failure();
    }
    FailureOr<Value> qkv = plusBias(matmul(x, operands[1]), operands[2]);
    if (failed(qkv)) {
      return failure();
    }
    if (width(*qkv) != 3 * width(x)) {
      fail() << "wants an inner weight of " << 3 * width(x) << " columns";
      return failure();
    }
    int64_t key = p > 0 ? model.randomKey(path) : 0;
    auto attention = nn::AttentionOp::create(b, loc, x.getType(), nn::withWidth(x.getType(), heads), *qkv, b.getI64IntegerAttr(heads),
                                             b.getF64FloatAttr(p), b.getI64IntegerAttr(key));
    return plusBias(matmul(attention.getResult(), operands[3]), operands[4]);
  }

  FailureOr<Value> counts() {
    const bool isTfidf = text("weight") == "tfidf", isPresence = text("weight") == "presence";
    if (!operandCount(isTfidf ? 2 : 1, isTfidf ? 2 : 1)) {
      return failure();
    }
    int64_t vocabulary = integer("values");
    if (!isSequence(operands[0]) || isFloat(operands[0]) || vocabulary < 1) {
      fail() << "wants ids of a vocabulary";
      return failure();
    }
    Value ids = operands[0];
    Type type = nn::parentType(ids.getType(), vocabulary, b.getF32Type()), column = nn::withWidth(ids.getType(), 1, b.getF32Type());
    if (!isTfidf && !isPresence) {
      return Value(nn::CountsOp::create(b, loc, type, ids));
    }
    Value times = nn::OccurrencesOp::create(b, loc, column, ids);
    if (isPresence) {
      Value one = nn::DivOp::create(b, loc, times, times);
      return Value(nn::WeightedCountsOp::create(b, loc, type, ids, nn::DivOp::create(b, loc, one, times)));
    }
    // The length of the record's row: each of the `times` rows of an id brings a part of its square.
    Value idf = nn::EmbeddingOp::create(b, loc, column, ids, operands[1], UnitAttr());
    Value squares = nn::MulOp::create(b, loc, nn::MulOp::create(b, loc, times, idf), idf);
    Value length = lengthOf(nn::SegmentSumOp::create(b, loc, nn::parentType(column), squares), scalar(1e-24));
    Value weights = nn::DivOp::create(b, loc, idf, nn::BroadcastRecordsOp::create(b, loc, column, length));
    return Value(nn::WeightedCountsOp::create(b, loc, type, ids, weights));
  }

  /// The weight of each row's class or tag, 1 without `class_weights`, and 0 of one that train lacks.
  Value classWeight(Value target, DenseF64ArrayAttr weights) {
    return nn::ClassWeightOp::create(b, loc, nn::withWidth(target.getType(), 1, b.getF32Type()), target, weights);
  }
  FailureOr<Value> classWeightOnly() {
    if (!operandCount(1, 1)) {
      return failure();
    }
    if (isFloat(operands[0])) {
      fail() << "wants classes or tags, not " << operands[0].getType();
      return failure();
    }
    return classWeight(operands[0], b.getDenseF64ArrayAttr(numbers("class_weights")));
  }

  /// The loss of every row, a column: `cross_entropy_rows`; or their mean: `cross_entropy`.
  FailureOr<Value> crossEntropy() {
    if (!operandCount(2, 2)) {
      return failure();
    }
    Value logits = operands[0], target = operands[1];
    if (!isFloat(logits) || isFloat(target) || !(nn::rowsOf(logits.getType()) == nn::rowsOf(target.getType())) ||
        nn::rowsOf(logits.getType()).kind == nn::RowsOf::Kind::fixed) {
      fail() << "wants a vector and a class, or a sequence and its tags, not " << logits.getType() << " and " << target.getType();
      return failure();
    }
    SmallVector<double> weights = numbers("class_weights");
    if (!weights.empty() && static_cast<int64_t>(weights.size()) != width(logits)) {
      fail() << "has " << weights.size() << " class weights for " << width(logits) << " classes";
      return failure();
    }
    Type column = nn::withWidth(logits.getType(), 1);
    auto weightsAttr = b.getDenseF64ArrayAttr(weights);
    Value losses = nn::CrossEntropyOp::create(b, loc, column, logits, target, b.getF64FloatAttr(number("label_smoothing")), weightsAttr);
    return name == "cross_entropy_rows" ? losses : mean(losses, classWeight(target, weightsAttr));
  }

  /// Element by element softplus(-z) where the target is 1, softplus(z) where it is 0: no difference of large numbers.
  FailureOr<Value> sigmoidCrossEntropy() {
    if (!operandCount(2, 2)) {
      return failure();
    }
    Value logits = operands[0], target = operands[1];
    if (!isFloat(logits) || !isFloat(target) || !isRecords(logits) || logits.getType() != target.getType()) {
      fail() << "wants a vector and a set with a label for each of its numbers, not " << logits.getType() << " and " << target.getType();
      return failure();
    }
    SmallVector<double> weights = numbers("positive_weights");
    int64_t labels = width(logits);
    if (!weights.empty() && static_cast<int64_t>(weights.size()) != labels) {
      fail() << "has " << weights.size() << " weights for " << labels << " labels";
      return failure();
    }
    Type type = logits.getType();
    Value absent = nn::SoftplusOp::create(b, loc, type, logits);
    Value present = nn::SoftplusOp::create(b, loc, type, nn::NegOp::create(b, loc, type, logits));
    if (!weights.empty()) {
      SmallVector<float> values(weights.begin(), weights.end());
      auto row = RankedTensorType::get({labels}, b.getF32Type());
      present =
          nn::MulOp::create(b, loc, present, nn::ConstantOp::create(b, loc, row, DenseElementsAttr::get(row, ArrayRef<float>(values))));
    }
    Value without = nn::AddOp::create(b, loc, nn::NegOp::create(b, loc, type, target), scalar(1));
    Value losses = nn::AddOp::create(b, loc, nn::MulOp::create(b, loc, present, target), nn::MulOp::create(b, loc, absent, without));
    return Value(nn::DivOp::create(b, loc, mean(losses, recordCount()), scalar(static_cast<double>(labels))));
  }

  FailureOr<Value> bce() {
    if (!oneFloat()) {
      return failure();
    }
    Value logits = operands[0];
    Type type = logits.getType();
    const double target = number("target");
    Value losses;
    auto add = [&](double share, Value z) {
      if (share != 0) {
        Value part = nn::SoftplusOp::create(b, loc, type, z);
        part = share == 1 ? part : Value(nn::MulOp::create(b, loc, part, scalar(share)));
        losses = losses ? Value(nn::AddOp::create(b, loc, losses, part)) : part;
      }
    };
    add(target, nn::NegOp::create(b, loc, type, logits));
    add(1 - target, logits);
    return Value(nn::DivOp::create(b, loc, mean(losses, recordCount()), scalar(static_cast<double>(width(logits)))));
  }

  /// sqrt(max(squares, least)).
  Value lengthOf(Value squares, Value least) {
    Value above = nn::ReluOp::create(b, loc, squares.getType(), nn::SubOp::create(b, loc, squares, least));
    return nn::SqrtOp::create(b, loc, squares.getType(), nn::AddOp::create(b, loc, above, least));
  }

  /// x / sqrt(max(sum of squares, epsilon^2)).
  FailureOr<Value> normalize() {
    if (!operandCount(1, 1) || !rows(operands[0])) {
      return failure();
    }
    Value x = operands[0];
    double epsilon = number("epsilon");
    Value least = scalar(epsilon * epsilon);
    Value squares = nn::RowSumOp::create(b, loc, nn::withWidth(x.getType(), 1), nn::MulOp::create(b, loc, x, x));
    return Value(nn::DivOp::create(b, loc, x, lengthOf(squares, least)));
  }

  /// -log p of the tags, the mean over the tagged words; or the most likely tags.
  FailureOr<Value> crf() {
    bool decodes = name == "crf_decode";
    if (!operandCount(decodes ? 2 : 3, decodes ? 2 : 3)) {
      return failure();
    }
    Value logits = operands[0], target = operands[1], transitions = operands[decodes ? 1 : 2];
    bool fits =
        isSequence(logits) && isFloat(logits) && hasRank(transitions, 1) && width(transitions) == (width(logits) + 2) * width(logits);
    fits = fits && (decodes || (isSequence(target) && !isFloat(target) && nn::rowsOf(logits.getType()) == nn::rowsOf(target.getType())));
    if (!fits) {
      fail() << "wants a sequence of K numbers, " << (decodes ? "" : "its tags, ") << "and (K + 2) * K transitions";
      return failure();
    }
    if (decodes) {
      Type back = nn::withWidth(logits.getType(), width(logits), b.getI32Type());
      return Value(nn::CrfDecodeOp::create(b, loc, logits.getType(), logits.getType(), back, logits, transitions).getResult());
    }
    auto loss = nn::CrfLossOp::create(b, loc, nn::parentType(logits.getType(), 1), logits.getType(), logits, target, transitions);
    return mean(loss.getResult(), classWeight(target, b.getDenseF64ArrayAttr({})));
  }

  FailureOr<Value> mse() {
    if (!operandCount(2, 2)) {
      return failure();
    }
    Value x = operands[0], y = operands[1];
    if (!isFloat(x) || !isFloat(y) || !isRecords(x) || x.getType() != y.getType() || width(x) != 1) {
      fail() << "wants two numbers a record, not " << x.getType() << " and " << y.getType();
      return failure();
    }
    Value difference = nn::SubOp::create(b, loc, x, y);
    Value squares = nn::MulOp::create(b, loc, difference, difference);
    return mean(squares, recordCount());
  }

  FailureOr<Value> l2() {
    if (!operandCount(0, 0)) {
      return failure();
    }
    Value placeholder = scalar(0);
    model.squareSums.push_back({placeholder.getDefiningOp(), text("prefix")});
    return mean(placeholder, scalar(1)); // every part has it once
  }

  FailureOr<Value> matmulOnly() {
    if (!operandCount(2, 2)) {
      return failure();
    }
    return matmul(operands[0], operands[1]);
  }
  FailureOr<Value> rowSum() {
    if (!operandCount(1, 1) || !rows(operands[0])) {
      return failure();
    }
    return Value(nn::RowSumOp::create(b, loc, nn::withWidth(operands[0].getType(), 1), operands[0]));
  }
  FailureOr<Value> totalOnly() {
    if (!oneFloat()) {
      return failure();
    }
    return total(operands[0]);
  }
  FailureOr<Value> recordCountOnly() {
    if (!operandCount(0, 0)) {
      return failure();
    }
    return recordCount();
  }
};

FailureOr<Value> ModelBuilder::op(StringRef name, ArrayRef<Value> operands, const frontend::Attributes &attributes, StringRef path,
                                  Location loc) {
  using Member = FailureOr<Value> (Call::*)();
  static const llvm::StringMap<Member> table = {
      {"embedding", &Call::embedding},
      {"one_hot", &Call::oneHot},
      {"positions", &Call::positions},
      {"segments", &Call::segments},
      {"linear", &Call::linear},
      {"gelu_new", &Call::geluNew},
      {"softmax", &Call::softmax},
      {"exp", &Call::elementwise},
      {"log", &Call::elementwise},
      {"sqrt", &Call::elementwise},
      {"neg", &Call::elementwise},
      {"layer_norm", &Call::layerNorm},
      {"batch_norm", &Call::batchNorm},
      {"normalize", &Call::normalize},
      {"dropout", &Call::dropout},
      {"add", &Call::binary},
      {"sub", &Call::binary},
      {"mul", &Call::binary},
      {"div", &Call::binary},
      {"constant", &Call::constant},
      {"concat", &Call::concat},
      {"conv1d", &Call::conv1d},
      {"pool", &Call::pool},
      {"running_sum", &Call::runningSum},
      {"self_attention", &Call::selfAttention},
      {"counts", &Call::counts},
      {"cross_entropy", &Call::crossEntropy},
      {"sigmoid_cross_entropy", &Call::sigmoidCrossEntropy},
      {"cross_entropy_rows", &Call::crossEntropy},
      {"class_weight", &Call::classWeightOnly},
      {"crf_loss", &Call::crf},
      {"crf_decode", &Call::crf},
      {"mse", &Call::mse},
      {"bce", &Call::bce},
      {"l2", &Call::l2},
      {"matmul", &Call::matmulOnly},
      {"row_sum", &Call::rowSum},
      {"total", &Call::totalOnly},
      {"record_count", &Call::recordCountOnly},
  };
  Call call{*this, name, operands, attributes, path, loc, builder};
  if (const frontend::BuiltinOp *known = frontend::findBuiltin(name); known && known->elementwise) {
    return call.elementwise();
  }
  auto found = table.find(name);
  if (found == table.end()) {
    emitError(loc, "there is no operation `") << name << "`";
    return failure();
  }
  return (call.*found->second)();
}

} // namespace penstock
