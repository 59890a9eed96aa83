#include "compiler/dialect/Nn/Nn.h"

#include "runtime/abi/kernel_limits.h"

using namespace mlir;
using namespace penstock::nn;

// The rules are those of the ops' descriptions in NnOps.td; each message names the rule that is broken.

/// `values` that lie in the batch have a row for each row of the parent of the axis of `onAxis`.
static LogicalResult verifyParents(Operation *op, Type onAxis, TypeRange values, StringRef what) {
  if (!isOnAxis(onAxis)) {
    return success(); // told by the type of the operand or result
  }
  const RowsOf parent = parentOf(rowsOf(onAxis));
  for (Type type : values) {
    if (isa<RowsType>(type) && !(rowsOf(type) == parent)) {
      return op->emitOpError(what) << " a row for each row of the parent, `" << wordsOf(parent) << "`, not `" << wordsOf(rowsOf(type))
                                   << "`";
    }
  }
  return success();
}
LogicalResult penstock::nn::verifyPools(Operation *op) {
  return verifyParents(op, op->getOperand(0).getType(), op->getResultTypes(), "gives");
}
LogicalResult penstock::nn::verifySpreads(Operation *op) {
  return verifyParents(op, op->getResult(0).getType(), op->getOperandTypes(), "wants");
}

LogicalResult GlobalOp::verify() {
  if (!parseTensorClass(getTensorClass())) {
    return emitOpError("tensor_class is parameter, model_state, training_state or fitted, not '") << getTensorClass() << "'";
  }
  StringRef init = getInitializer();
  if (init != "zeros" && init != "ones" && init != "uniform" && init != "normal" && init != "constant") {
    return emitOpError("initializer is zeros, ones, uniform, normal or constant, not '") << init << "'";
  }
  if (getUpdate() != "whole" && getUpdate() != "rows" && getUpdate() != "deferred") {
    return emitOpError("update is whole, rows or deferred, not '") << getUpdate() << "'";
  }
  if (!getNotice().empty() && (classOf(*this) != TensorClass::trainingState || cast<RankedTensorType>(getType()).getNumElements() != 1)) {
    return emitOpError("only a training_state of one number counts what a notice tells");
  }
  if (getUpdate() != "whole" && cast<RankedTensorType>(getType()).getRank() != 2) {
    return emitOpError("only a table is updated by rows");
  }
  return success();
}

/// The global that `op` names; an error where there is none.
static FailureOr<GlobalOp> globalOf(Operation *op, FlatSymbolRefAttr name, SymbolTableCollection &symbols) {
  auto global = symbols.lookupNearestSymbolFrom<GlobalOp>(op, name);
  if (!global) {
    return op->emitOpError("names no nn.global: ") << name;
  }
  return global;
}

static LogicalResult verifyType(Operation *op, Type type, GlobalOp global) {
  if (global.getType() != type) {
    return op->emitOpError("has type ") << type << ", its global " << global.getType();
  }
  return success();
}

/// The gradient of a parameter that has one.
static LogicalResult verifyTrained(Operation *op, GlobalOp global) {
  if (!isTrained(global)) {
    return op->emitOpError("@") << global.getSymName() << " has no gradient: only a parameter that is not frozen has one";
  }
  return success();
}

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<GlobalOp> global = globalOf(*this, getNameAttr(), symbols);
  return failed(global) ? failure() : verifyType(*this, getType(), *global);
}

LogicalResult GradientOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<GlobalOp> global = globalOf(*this, getNameAttr(), symbols);
  return failed(global) || failed(verifyTrained(*this, *global)) ? failure() : verifyType(*this, getGradient().getType(), *global);
}

LogicalResult RowGradientOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<GlobalOp> global = globalOf(*this, getNameAttr(), symbols);
  if (failed(global) || failed(verifyTrained(*this, *global))) {
    return failure();
  }
  if (global->getUpdate() != "deferred" || widthOf(getCotangent().getType()) != widthOf(global->getType())) {
    return emitOpError("the rows are those of a deferred table, as wide as it");
  }
  return success();
}

LogicalResult RefreshOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<GlobalOp> global = globalOf(*this, getNameAttr(), symbols);
  if (succeeded(global) && global->getUpdate() != "deferred") {
    return emitOpError("@") << getName() << " is not a deferred table";
  }
  return global;
}

LogicalResult UpdateOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<GlobalOp> global = globalOf(*this, getNameAttr(), symbols);
  if (failed(global)) {
    return failure();
  }
  TensorClass what = classOf(*global);
  if (what != TensorClass::modelState && what != TensorClass::trainingState) {
    return emitOpError("@") << getName() << " is no state: only a model_state or a training_state is updated";
  }
  return verifyType(*this, getValue().getType(), *global);
}

// What a read gives is where the global lies: handed over as it is, it would be what another update of the step left there.
LogicalResult UpdateOp::verify() {
  if (readOf(getValue())) {
    return emitOpError("the value is computed by the step, not read as it is");
  }
  return success();
}

LogicalResult penstock::nn::verifyOneWriter(Operation *op) {
  // The first writer of the block answers for all of them, so that this stays linear.
  for (Operation *before = op->getPrevNode(); before; before = before->getPrevNode()) {
    if (isa<GlobalWriter>(before)) {
      return success();
    }
  }
  llvm::StringMap<Operation *> writers;
  for (Operation *at = op; at; at = at->getNextNode()) {
    auto writer = dyn_cast<GlobalWriter>(at);
    if (!writer) {
      continue;
    }
    auto [other, isFirst] = writers.try_emplace(writer.getName(), at);
    if (!isFirst) {
      InFlightDiagnostic error = at->emitOpError("is a second writer of @") << writer.getName() << "; an entry has one";
      error.attachNote(other->second->getLoc()) << "the first";
      return error;
    }
  }
  return success();
}

LogicalResult ApplyOp::verify() {
  if (getKind() != "sgd" && getKind() != "adam" && getKind() != "adamw") {
    return emitOpError("kind is sgd, adam or adamw, not '") << getKind() << "'";
  }
  return success();
}

LogicalResult DropoutOp::verify() {
  double p = getP().convertToDouble();
  if (!(p >= 0 && p < 1)) {
    return emitOpError("p is in [0, 1), not ") << p;
  }
  return success();
}

LogicalResult ConcatOp::verify() {
  int64_t width = 0;
  for (Value v : getInputs()) {
    if (!(rowsOf(v.getType()) == rowsOf(getResult().getType()))) {
      return emitOpError("inputs and result have the same rows");
    }
    width += widthOf(v.getType());
  }
  if (width != widthOf(getResult().getType())) {
    return emitOpError("the result is as wide as its inputs together (") << width << ")";
  }
  return success();
}

/// `narrow` are columns of `wide` from `offset` on.
static LogicalResult verifyColumns(Operation *op, Type narrow, Type wide, int64_t offset) {
  if (offset < 0 || offset + widthOf(narrow) > widthOf(wide)) {
    return op->emitOpError("the columns [") << offset << ", " << offset + widthOf(narrow) << ") lie inside of " << widthOf(wide);
  }
  if (!(rowsOf(narrow) == rowsOf(wide))) {
    return op->emitOpError("input and result have the same rows");
  }
  return success();
}
LogicalResult SliceOp::verify() { return verifyColumns(*this, getType(), getInput().getType(), getOffset()); }
LogicalResult PadOp::verify() { return verifyColumns(*this, getInput().getType(), getType(), getOffset()); }

/// Transitions of a chain over the tags of `logits`, few enough for a kernel's scratch.
static LogicalResult verifyChain(Operation *op, Type logits, Type transitions, Type result) {
  int64_t tags = widthOf(logits);
  auto numbers = cast<RankedTensorType>(transitions);
  if (tags > PENSTOCK_SCRATCH_FLOATS / 8) {
    return op->emitOpError("a chain has at most ") << PENSTOCK_SCRATCH_FLOATS / 8 << " tags, not " << tags;
  }
  if (numbers.getRank() != 1 || numbers.getDimSize(0) != (tags + 2) * tags) {
    return op->emitOpError("transitions of ") << tags << " tags are a vector of " << (tags + 2) * tags << " numbers, not " << numbers;
  }
  if (!(rowsOf(logits) == rowsOf(result)) || widthOf(result) != tags) {
    return op->emitOpError("what lies on the rows of the logits is as wide as they are");
  }
  return success();
}
LogicalResult MeanOp::verify() { return isScalar(getType()) ? success() : emitOpError("is a scalar, not ") << getType(); }
LogicalResult CrfLossOp::verify() {
  if (!(rowsOf(getLogits().getType()) == rowsOf(getTarget().getType()))) {
    return emitOpError("logits and targets lie on one axis");
  }
  if (failed(verifyParents(*this, getLogits().getType(), getResult().getType(), "gives"))) {
    return failure();
  }
  return verifyChain(*this, getLogits().getType(), getTransitions().getType(), getAlpha().getType());
}
LogicalResult CrfDecodeOp::verify() { return verifyChain(*this, getLogits().getType(), getTransitions().getType(), getResult().getType()); }

LogicalResult MatmulOp::verify() {
  auto w = cast<RankedTensorType>(getWeight().getType());
  if (w.getRank() != 2) {
    return emitOpError("the weight is a matrix of static shape");
  }
  int64_t k = w.getDimSize(getTransposed() ? 1 : 0), n = w.getDimSize(getTransposed() ? 0 : 1);
  if (widthOf(getInput().getType()) != k || widthOf(getResult().getType()) != n) {
    return emitOpError("widths do not fit: input ") << getInput().getType() << ", weight " << w << ", result " << getType();
  }
  if (!(rowsOf(getInput().getType()) == rowsOf(getResult().getType()))) {
    return emitOpError("input and result have the same rows");
  }
  return success();
}

LogicalResult EmbeddingOp::verify() {
  auto table = cast<RankedTensorType>(getTable().getType());
  if (table.getRank() != 2 || table.getDimSize(1) != widthOf(getResult().getType())) {
    return emitOpError("the table is a matrix as wide as the result");
  }
  if (!(rowsOf(getIds().getType()) == rowsOf(getResult().getType()))) {
    return emitOpError("ids and result have the same rows");
  }
  return success();
}

LogicalResult Conv1dOp::verify() {
  auto w = cast<RankedTensorType>(getWeight().getType());
  if (w.getRank() != 3 || w.getDimSize(1) != widthOf(getInput().getType()) || w.getDimSize(2) != widthOf(getResult().getType())) {
    return emitOpError("the weight is width x input width x maps");
  }
  if (!(rowsOf(getInput().getType()) == rowsOf(getResult().getType()))) {
    return emitOpError("input and result lie on one axis");
  }
  return success();
}

/// A kernel of a segment keys dropout by its record.
static LogicalResult verifyDropout(Operation *op, Type onAxis, double dropout) {
  if (dropout > 0 && isOnAxis(onAxis) && parentOf(rowsOf(onAxis)).kind != RowsOf::Kind::records) {
    return op->emitOpError("dropout of attention is keyed by records: the axis lies in them, not in `")
           << wordsOf(parentOf(rowsOf(onAxis))) << "`";
  }
  return success();
}

LogicalResult AttentionOp::verify() {
  int64_t width = widthOf(getResult().getType()), heads = getHeads();
  if (heads <= 0 || width % heads != 0 || widthOf(getQkv().getType()) != 3 * width || widthOf(getLse().getType()) != heads) {
    return emitOpError("qkv is three times as wide as the result, whose width is a multiple of heads; lse is heads wide");
  }
  RowsOf rows = rowsOf(getResult().getType());
  if (!(rowsOf(getQkv().getType()) == rows) || !(rowsOf(getLse().getType()) == rows)) {
    return emitOpError("qkv, result and lse lie on one axis");
  }
  return verifyDropout(*this, getQkv().getType(), getDropout().convertToDouble());
}

LogicalResult AttentionFirstOp::verify() {
  int64_t width = widthOf(getResult().getType()), heads = getHeads();
  if (heads <= 0 || width % heads != 0 || widthOf(getQuery().getType()) != width || widthOf(getKeysValues().getType()) != 2 * width ||
      widthOf(getLse().getType()) != heads) {
    return emitOpError("query is as wide as the result, a multiple of heads, keys_values twice as wide; lse is heads wide");
  }
  if (failed(verifyParents(*this, getKeysValues().getType(), {getQuery().getType(), getResult().getType(), getLse().getType()},
                           "has in query, result and lse"))) {
    return failure();
  }
  return verifyDropout(*this, getKeysValues().getType(), getDropout().convertToDouble());
}
