#include "compiler/dialect/Nn/Nn.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
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

// <@axis, 128xf32>
Type RaggedType::parse(AsmParser &parser) {
  StringAttr axis;
  SmallVector<int64_t> shape;
  Type element;
  if (parser.parseLess() || parser.parseSymbolName(axis) || parser.parseComma() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) || parser.parseType(element) || parser.parseGreater()) {
    return {};
  }
  return RaggedType::get(parser.getContext(), axis, shape, element);
}

void RaggedType::print(AsmPrinter &printer) const {
  printer << "<";
  printer.printSymbolName(getAxis());
  printer << ", ";
  for (int64_t d : getShape()) {
    printer << d << "x";
  }
  printer << getElementType() << ">";
}

namespace penstock::nn {

RowsOf rowsOf(Type type) {
  if (auto ragged = dyn_cast<RaggedType>(type)) {
    return {RowsOf::Kind::axis, ragged.getAxis(), 0};
  }
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getRank() > 0 && tensor.isDynamicDim(0)) {
    return {RowsOf::Kind::records, {}, 0};
  }
  return {RowsOf::Kind::fixed, {}, tensor.getRank() < 2 ? 1 : tensor.getDimSize(0)};
}

int64_t widthOf(Type type) {
  if (auto ragged = dyn_cast<RaggedType>(type)) {
    return ragged.getWidth();
  }
  auto tensor = cast<RankedTensorType>(type);
  int64_t n = 1;
  for (int64_t i = tensor.getRank() < 2 && !(tensor.getRank() == 1 && tensor.isDynamicDim(0)) ? 0 : 1; i < tensor.getRank(); ++i) {
    n *= tensor.getDimSize(i);
  }
  return n;
}

Type elementTypeOf(Type type) {
  if (auto ragged = dyn_cast<RaggedType>(type)) {
    return ragged.getElementType();
  }
  return cast<RankedTensorType>(type).getElementType();
}

Type withWidth(Type like, int64_t width, Type element) {
  Type e = element ? element : elementTypeOf(like);
  if (auto ragged = dyn_cast<RaggedType>(like)) {
    return RaggedType::get(like.getContext(), ragged.getAxis(), {width}, e);
  }
  auto tensor = cast<RankedTensorType>(like);
  RowsOf rows = rowsOf(tensor);
  return RankedTensorType::get({rows.kind == RowsOf::Kind::records ? ShapedType::kDynamic : rows.rows, width}, e);
}

bool isScalar(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 0;
}

ParameterOp parameterOf(Value value) {
  if (auto slice = value.getDefiningOp<SliceOp>()) {
    value = slice.getInput();
  }
  return value.getDefiningOp<ParameterOp>();
}

bool broadcasts(Type rhs, Type lhs) {
  if (lhs == rhs || isScalar(rhs) || (rowsOf(lhs) == rowsOf(rhs) && widthOf(rhs) == 1)) {
    return true;
  }
  auto tensor = dyn_cast<RankedTensorType>(rhs);
  return tensor && tensor.getRank() == 1 && tensor.hasStaticShape() && tensor.getDimSize(0) == widthOf(lhs);
}

} // namespace penstock::nn
