#include "compiler/transforms/Losses.h"

#include "llvm/ADT/MapVector.h"

#include <limits>

using namespace mlir;

namespace penstock {

namespace {

RankedTensorType scalarType(OpBuilder &b) { return RankedTensorType::get({}, b.getF32Type()); }

Value scalar(OpBuilder &b, Location loc, float value) {
  return nn::ConstantOp::create(b, loc, scalarType(b), DenseElementsAttr::get(scalarType(b), value));
}

std::optional<double> numberOf(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  return elements && elements.isSplat() ? std::optional<double>(elements.getSplatValue<APFloat>().convertToFloat()) : std::nullopt;
}

/// An objective as numbers times scalars that are no further sums, plus a number.
struct LinearForm {
  llvm::MapVector<Value, double> terms;
  double number = 0;

  void add(Value value, double factor) {
    if (std::optional<double> constant = numberOf(value)) {
      number += factor * *constant;
      return;
    }
    Operation *op = value.getDefiningOp();
    auto operand = [&](unsigned i) { return op->getOperand(i); };
    if (isa<nn::AddOp, nn::SubOp>(op)) {
      add(operand(0), factor);
      add(operand(1), isa<nn::SubOp>(op) ? -factor : factor);
    } else if (isa<nn::NegOp>(op)) {
      add(operand(0), -factor);
    } else if (isa<nn::MulOp>(op) && numberOf(operand(1))) {
      add(operand(0), factor * *numberOf(operand(1)));
    } else if (isa<nn::MulOp>(op) && numberOf(operand(0))) {
      add(operand(1), factor * *numberOf(operand(0)));
    } else if (isa<nn::DivOp>(op) && numberOf(operand(1))) {
      add(operand(0), factor / *numberOf(operand(1)));
    } else {
      terms[value] += factor;
    }
  }
};

} // namespace

Value sumOf(OpBuilder &b, Value rows, bool training) {
  if (nn::isScalar(rows.getType())) {
    return rows;
  }
  auto weight = rows.getDefiningOp<nn::ClassWeightOp>();
  if (training && weight && weight.getClassWeights().empty() && nn::rowsOf(rows.getType()).kind == nn::RowsOf::Kind::records) {
    return nn::RecordCountOp::create(b, rows.getLoc(), scalarType(b));
  }
  return nn::TotalOp::create(b, rows.getLoc(), scalarType(b), rows);
}

SmallVector<Loss> lossesOf(func::FuncOp function, Value objective) {
  LinearForm form;
  form.add(objective, 1);
  OpBuilder b(function.front().getTerminator());
  Location loc = objective.getLoc();
  SmallVector<Loss> losses;
  for (auto [value, factor] : form.terms) {
    if (auto mean = value.getDefiningOp<nn::MeanOp>()) {
      losses.push_back({factor, mean.getItems(), mean.getWeights()});
    } else {
      Value records = nn::RecordCountOp::create(b, loc, scalarType(b));
      losses.push_back({factor, nn::MulOp::create(b, loc, value, records), records});
    }
  }
  if (form.number != 0 || losses.empty()) {
    losses.push_back({form.number, scalar(b, loc, 1), scalar(b, loc, 1)});
  }
  return losses;
}

void lowerMeans(func::FuncOp function, bool training) {
  for (auto mean : llvm::make_early_inc_range(function.getOps<nn::MeanOp>())) {
    OpBuilder b(mean);
    Location loc = mean.getLoc();
    Value weight = sumOf(b, mean.getWeights(), training);
    const std::optional<double> number = numberOf(weight);
    if (!number && !weight.getDefiningOp<nn::RecordCountOp>()) {
      // Where there is no weight the least number, so that the mean is 0 and not 0 / 0.
      Value missing = nn::SubOp::create(b, loc, scalar(b, loc, std::numeric_limits<float>::min()), weight);
      weight = nn::AddOp::create(b, loc, weight, Value(nn::ReluOp::create(b, loc, scalarType(b), missing)));
    }
    Value sum = sumOf(b, mean.getItems(), training);
    mean.replaceAllUsesWith(number == 1.0 ? sum : Value(nn::DivOp::create(b, loc, sum, weight)));
    mean.erase();
  }
}

} // namespace penstock
