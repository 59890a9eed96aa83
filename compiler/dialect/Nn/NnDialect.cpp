#include "compiler/dialect/Nn/Nn.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace penstock::nn;

#include "compiler/dialect/Nn/NnDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "compiler/dialect/Nn/NnTypes.cpp.inc"

void NnDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "compiler/dialect/Nn/NnTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "compiler/dialect/Nn/NnOps.cpp.inc"
      >();
}

// <records x @words x [3, 5] x 128xf32>
Type RowsType::parse(AsmParser &parser) {
  SmallVector<Attribute> axes;
  SmallVector<int64_t> extents;
  int64_t width = 0;
  Type element;
  if (parser.parseLess() || parser.parseKeyword("records") || parser.parseKeyword("x")) {
    return {};
  }
  while (true) {
    StringAttr name;
    if (succeeded(parser.parseOptionalSymbolName(name))) {
      axes.push_back(name);
    } else if (succeeded(parser.parseOptionalLSquare())) {
      extents.clear();
      auto extent = [&] { return parser.parseInteger(extents.emplace_back()); };
      if (parser.parseCommaSeparatedList(extent) || parser.parseRSquare()) {
        return {};
      }
      axes.push_back(DenseI64ArrayAttr::get(parser.getContext(), extents));
    } else {
      break;
    }
    if (parser.parseKeyword("x")) {
      return {};
    }
  }
  SmallVector<int64_t> shape;
  SMLoc at = parser.getCurrentLocation();
  if (parser.parseDimensionList(shape, /*allowDynamic=*/false) || parser.parseType(element) || parser.parseGreater()) {
    return {};
  }
  if (shape.size() != 1) {
    parser.emitError(at, "a row has one width");
    return {};
  }
  width = shape.front();
  return parser.getChecked<RowsType>(parser.getContext(), parser.getBuilder().getArrayAttr(axes), width, element);
}

void RowsType::print(AsmPrinter &printer) const {
  printer << "<records x ";
  for (Attribute axis : getAxes()) {
    if (auto name = dyn_cast<StringAttr>(axis)) {
      printer.printSymbolName(name);
    } else {
      printer << "[" << cast<DenseI64ArrayAttr>(axis).asArrayRef() << "]";
    }
    printer << " x ";
  }
  printer << getWidth() << "x" << getElementType() << ">";
}

LogicalResult RowsType::verify(llvm::function_ref<InFlightDiagnostic()> emitError, ArrayAttr axes, int64_t width, Type element) {
  if (width < 1) {
    return emitError() << "a row has one element or more, not " << width;
  }
  const bool computed = element.isF32() || element.isSignlessInteger(32) || element.isUnsignedInteger(8);
  if (!computed && !element.isBF16() && !element.isSignlessInteger(8)) {
    return emitError() << "elements are f32, i32 or ui8, and bf16 or i8 where they are only stored, not " << element;
  }
  for (Attribute axis : axes) {
    auto extents = dyn_cast<DenseI64ArrayAttr>(axis);
    if (!extents) {
      continue;
    }
    if (extents.empty() || extents.size() > 8) {
      return emitError() << "a static axis has 1 to 8 extents, not " << extents.size();
    }
    int64_t rows = 1;
    for (int64_t extent : extents.asArrayRef()) {
      if (extent < 1) {
        return emitError() << "an extent of an axis is 1 or more, not " << extent;
      }
      if (__builtin_mul_overflow(rows, extent, &rows) || rows > INT32_MAX) {
        return emitError() << "a static axis has fewer than 2147483648 rows";
      }
    }
  }
  return success();
}

//===--- what the interfaces are told of ops -------------------------------------------------------------------------===//

bool EmbeddingOp::readsOneRow(unsigned operand) { return operand == 1; } // of the table
bool PositionRowsOp::readsOneRow(unsigned) { return true; }
bool SegmentFirstOp::readsOneRow(unsigned) { return true; }
bool ColumnSumOp::sumsOverRows() { return true; }
bool TotalOp::sumsOverRows() { return true; }

namespace penstock::nn {

RowsOf rowsOf(Type type) {
  if (auto rows = dyn_cast<RowsType>(type)) {
    if (rows.getAxes().empty()) {
      return {RowsOf::Kind::records, {}, 0};
    }
    return {RowsOf::Kind::axis, rows.getAxes(), 0};
  }
  auto tensor = cast<RankedTensorType>(type);
  return {RowsOf::Kind::fixed, {}, tensor.getRank() < 2 ? 1 : tensor.getDimSize(0)};
}

int64_t widthOf(Type type) {
  if (auto rows = dyn_cast<RowsType>(type)) {
    return rows.getWidth();
  }
  auto tensor = cast<RankedTensorType>(type);
  int64_t n = 1;
  for (int64_t i = tensor.getRank() < 2 ? 0 : 1; i < tensor.getRank(); ++i) {
    n *= tensor.getDimSize(i);
  }
  return n;
}

Type elementTypeOf(Type type) {
  auto rows = dyn_cast<RowsType>(type);
  return rows ? rows.getElementType() : cast<RankedTensorType>(type).getElementType();
}

int64_t bytesOf(Type element) { return element.getIntOrFloatBitWidth() / 8; }

Type withWidth(Type like, int64_t width, Type element) {
  Type e = element ? element : elementTypeOf(like);
  if (auto rows = dyn_cast<RowsType>(like)) {
    return RowsType::get(like.getContext(), rows.getAxes(), width, e);
  }
  return RankedTensorType::get({rowsOf(like).rows, width}, e);
}

RowsType recordsOf(MLIRContext *context, int64_t width, Type element) {
  return RowsType::get(context, ArrayAttr::get(context, {}), width, element ? element : Float32Type::get(context));
}

RowsType rowsOn(const RowsOf &rows, MLIRContext *context, int64_t width, Type element) {
  ArrayAttr axes = rows.axes ? rows.axes : ArrayAttr::get(context, {});
  return RowsType::get(context, axes, width, element ? element : Float32Type::get(context));
}

bool isOnAxis(Type type) {
  auto rows = dyn_cast<RowsType>(type);
  return rows && !rows.getAxes().empty();
}

RowsOf parentOf(const RowsOf &axis) {
  ArrayRef<Attribute> above = axis.axes.getValue().drop_back();
  if (above.empty()) {
    return {RowsOf::Kind::records, {}, 0};
  }
  return {RowsOf::Kind::axis, ArrayAttr::get(axis.axes.getContext(), above), 0};
}

RowsType parentType(Type type, int64_t width, Type element) {
  auto rows = cast<RowsType>(type);
  ArrayAttr above = ArrayAttr::get(type.getContext(), rows.getAxes().getValue().drop_back());
  return RowsType::get(type.getContext(), above, width > 0 ? width : rows.getWidth(), element ? element : rows.getElementType());
}

ArrayRef<int64_t> extentsOf(const RowsOf &axis) {
  auto extents = axis.axes ? dyn_cast<DenseI64ArrayAttr>(axis.axes.getValue().back()) : DenseI64ArrayAttr();
  return extents ? extents.asArrayRef() : ArrayRef<int64_t>();
}

std::string nameOf(const RowsOf &axis) {
  if (auto name = dyn_cast<StringAttr>(axis.axes.getValue().back())) {
    return name.str();
  }
  std::string words = "[";
  for (auto [i, extent] : llvm::enumerate(extentsOf(axis))) {
    words += (i == 0 ? "" : ", ") + std::to_string(extent);
  }
  return words + "]";
}

RowsOf axisOf(SegmentLengthOp length) {
  SmallVector<Attribute> path(cast<RowsType>(length.getType()).getAxes().getValue());
  path.push_back(length.getAxisAttr().getAttr());
  return {RowsOf::Kind::axis, ArrayAttr::get(length.getContext(), path), 0};
}

Value segmentLength(OpBuilder &builder, Location loc, const RowsOf &axis) {
  if (ArrayRef<int64_t> extents = extentsOf(axis); !extents.empty()) {
    auto scalar = RankedTensorType::get({}, builder.getF32Type());
    int64_t rows = 1;
    for (int64_t extent : extents) {
      rows *= extent;
    }
    return ConstantOp::create(builder, loc, scalar, DenseElementsAttr::get(scalar, static_cast<float>(rows)));
  }
  auto name = cast<StringAttr>(axis.axes.getValue().back());
  return SegmentLengthOp::create(builder, loc, rowsOn(parentOf(axis), builder.getContext(), 1), FlatSymbolRefAttr::get(name));
}

Value rowCount(OpBuilder &builder, Location loc, const RowsOf &rows) {
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  if (rows.kind == RowsOf::Kind::records) {
    return RecordCountOp::create(builder, loc, scalar);
  }
  return RowCountOp::create(builder, loc, scalar, TypeAttr::get(rowsOn(rows, builder.getContext(), 1)));
}

std::string wordsOf(const RowsOf &rows) {
  if (rows.kind == RowsOf::Kind::fixed) {
    return "fixed";
  }
  return rows.kind == RowsOf::Kind::records ? "records" : wordsOf(parentOf(rows)) + " x " + nameOf(rows);
}

bool isScalar(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 0;
}

std::int64_t widestOnRows(Operation *op, const RowsOf &rows) {
  int64_t width = rowsOf(op->getResult(0).getType()) == rows ? widthOf(op->getResult(0).getType()) : 0;
  for (Value operand : op->getOperands()) {
    width = std::max(width, rowsOf(operand.getType()) == rows ? widthOf(operand.getType()) : 0);
  }
  return width;
}

std::optional<TensorClass> parseTensorClass(StringRef name) {
  return llvm::StringSwitch<std::optional<TensorClass>>(name)
      .Case("parameter", TensorClass::parameter)
      .Case("model_state", TensorClass::modelState)
      .Case("training_state", TensorClass::trainingState)
      .Case("fitted", TensorClass::fitted)
      .Default(std::nullopt);
}

TensorClass classOf(GlobalOp global) { return *parseTensorClass(global.getTensorClass()); }

int64_t objectiveOf(Operation *op) {
  for (StringRef name : {"objective", "nn.objective"}) {
    if (auto index = op->getAttrOfType<IntegerAttr>(name)) {
      return index.getInt();
    }
  }
  return 0;
}

bool isTrained(GlobalOp global) { return classOf(global) == TensorClass::parameter && !global.getFrozen(); }

ReadOp readOf(Value value) {
  if (auto slice = value.getDefiningOp<SliceOp>()) {
    value = slice.getInput();
  }
  return value.getDefiningOp<ReadOp>();
}

RowsOf iterationRows(Operation *op) {
  auto rowOp = dyn_cast<RowOp>(op);
  return rowOp ? rowOp.getIterationRows() : rowsOf(op->getResult(0).getType());
}

bool sumsOverRows(Operation *op) {
  auto rowOp = dyn_cast<RowOp>(op);
  return rowOp && rowOp.sumsOverRows();
}

bool isLeaf(Operation *op) { return op->hasTrait<Leaf>() || (isa<SliceOp>(op) && readOf(op->getResult(0))); }

bool broadcasts(Type rhs, Type lhs) {
  if (lhs == rhs || isScalar(rhs) || (rowsOf(lhs) == rowsOf(rhs) && widthOf(rhs) == 1)) {
    return true;
  }
  auto tensor = dyn_cast<RankedTensorType>(rhs);
  return tensor && tensor.getRank() == 1 && tensor.getDimSize(0) == widthOf(lhs);
}

} // namespace penstock::nn
