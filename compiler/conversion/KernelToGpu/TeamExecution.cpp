// Loops of a step on a device: a piece of work belongs to a team of threads, and the columns of a row lie over its threads. A row of a few
// numbers belongs to one thread, a usual one to a warp, a long one to a block. Everything that a thread writes for others is followed by a
// barrier of the team; sums over a row are a thread's own part in order, then a fixed tree.
#include "compiler/conversion/KernelToLinalg/StepBuilder.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/abi/kernel_limits.h"

#include <bit>
#include <cmath>

using namespace mlir;

namespace penstock {
namespace {

constexpr int64_t warp = 32, block = 256;
constexpr int64_t narrow = 8, usual = 1024; // widest rows of a thread, of a warp
constexpr int64_t most = 96 << 10;          // bytes of a team in shared memory
constexpr int64_t arenaTeams = 64;          // that share the scratch of long rows
constexpr int64_t warpCells = 64;           // bytes in which warps of a block leave their sums
constexpr int64_t packed = 4;               // numbers that a thread moves at once

/// What a value is known to be a multiple of: a power of two, at most 64.
int64_t divisorOf(Value value) {
  constexpr int64_t all = 64;
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant))) {
    return constant.isZero() ? all : std::min<int64_t>(all, int64_t{1} << std::min(constant.countr_zero(), 6u));
  }
  Operation *op = value.getDefiningOp();
  if (!op) {
    return 1;
  }
  if (isa<arith::AddIOp, arith::SubIOp, arith::MinUIOp, arith::MaxUIOp>(op)) {
    return std::min(divisorOf(op->getOperand(0)), divisorOf(op->getOperand(1)));
  }
  if (isa<arith::MulIOp>(op)) {
    return std::min(all, divisorOf(op->getOperand(0)) * divisorOf(op->getOperand(1)));
  }
  if (auto get = dyn_cast<kernel::GetOp>(op)) {
    return get.getWhat() == "section" || get.getWhat() == "team_shared" ? all : get.getWhat() == "capacity" ? 16 : 1;
  }
  if (auto number = dyn_cast<kernel::NumberOp>(op)) {
    // Of a place: all begin at multiples of 64 bytes. Or bytes for a row, which are multiplied by a capacity.
    return number.getType().isIndex() && !number->hasAttr("kernel.unaligned") ? 16 : 1;
  }
  return 1;
}

/// Whether the memref's first element lies at a multiple of `packed` of them. What the call holds does.
bool isAligned(Value memref) {
  if (cast<MemRefType>(memref.getType()).getElementTypeBitWidth() != 32) {
    return false;
  }
  Operation *op = memref.getDefiningOp();
  if (auto view = dyn_cast_or_null<memref::ViewOp>(op)) {
    return divisorOf(view.getByteShift()) % (packed * 4) == 0;
  }
  if (auto part = dyn_cast_or_null<memref::SubViewOp>(op)) {
    return part.getStaticOffset(0) % packed == 0 && isAligned(part.getSource());
  }
  return false;
}

class TeamExecution final : public Execution {
public:
  explicit TeamExecution(int64_t least) : least(least) {}
  std::int64_t reservedBytes() const override { return team == block && !inArena ? warpCells : 0; }
  std::int64_t teamsInArena() const override { return inArena || usedArena ? arenaTeams : 0; }
  bool scratchInArena() const override { return inArena; }

  void parallel(StepBuilder &at, const Work &work, Body body) override {
    const int64_t outer = team;
    team = std::max(least, work.width <= narrow ? 1 : work.width <= usual ? warp : block);
    kernel::LaunchOp launch = write(at, work, body);
    if (static_cast<int64_t>(launch.getShared()) > most) {
      // The scratch of so long rows lies in the arena, of as many teams as there is room for.
      launch.erase();
      team = block;
      inArena = usedArena = true;
      launch = write(at, work, body);
      launch->setAttr("kernel.scratch", at.builder().getI64IntegerAttr(rounded(at.workerBytes())));
      launch.setShared(warpCells);
      inArena = false;
    }
    team = outer;
  }

  void serial(StepBuilder &at, llvm::function_ref<void()> body) override {
    auto one = [&] { return at.constant(1); };
    parallel(at, {-1, 1, one, 1, usual + 1}, [&](Value, Value) { body(); });
  }

  void betweenRows(StepBuilder &at) override { synchronize(at); }

  void elementwise(StepBuilder &at, ValueRange ins, ValueRange outs, Element body) override {
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    auto all = llvm::concat<Value>(ins, outs);
    const int64_t width = cast<MemRefType>((*all.begin()).getType()).getDimSize(0);
    const bool aligned = llvm::all_of(all, isAligned);
    if (!ShapedType::isDynamic(width)) {
      const int64_t size = aligned && width % packed == 0 ? packed : 1;
      overColumns(at, width / size, [&](Value number) { elements(at, ins, outs, body, number, size); });
    } else {
      Value total = memref::DimOp::create(b, loc, *all.begin(), at.constant(0)), begin = at.constant(0);
      if (aligned) {
        Value groups = arith::DivUIOp::create(b, loc, total, at.constant(packed));
        overSome(at, groups, [&](Value number) { elements(at, ins, outs, body, number, packed); });
        begin = arith::MulIOp::create(b, loc, groups, at.constant(packed));
      }
      Value rest = arith::SubIOp::create(b, loc, total, begin);
      overSome(at, rest, [&](Value number) { elements(at, ins, outs, body, arith::AddIOp::create(b, loc, begin, number), 1); });
    }
    synchronize(at);
  }

  Value fold(StepBuilder &at, Value count, Value initial, Combine combine, Fold step) override {
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    const bool known = matchPattern(initial, m_Constant());
    Value own = identity(b, loc, initial.getType(), combine);
    auto loop = scf::ForOp::create(b, loc, team == 1 ? at.constant(0) : lane, count, at.constant(team), ValueRange{own});
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      scf::YieldOp::create(b, loc, ValueRange{step(loop.getRegionIterArg(0), loop.getInductionVar())});
    }
    Value all = overTeam(at, loop.getResult(0), combine);
    return known ? all : join(b, loc, combine, initial, all); // a constant that begins is the identity
  }

  void fill(StepBuilder &at, Value number, Value memory) override {
    elementwise(at, {}, memory, [&](OpBuilder &, Location, ValueRange, llvm::function_ref<Value()>) { return SmallVector<Value>{number}; });
  }

  void storeScalar(StepBuilder &at, Value value, Value memory, Value place) override {
    synchronize(at); // others may still have to read what was there
    first(at, [&] { memref::StoreOp::create(at.builder(), at.where(), value, memory, ValueRange{place}); });
    synchronize(at);
  }

  void addScalar(StepBuilder &at, Value value, Value memory) override {
    Value place = at.constant(0);
    first(at, [&] {
      Value sum = arith::AddFOp::create(at.builder(), at.where(), at.loadAt(memory, place), value);
      memref::StoreOp::create(at.builder(), at.where(), sum, memory, ValueRange{place});
    });
  }

  // A counter gives four words, which are those of four neighbouring columns; see runtime/kernels/packed/random.h.
  void dropoutRow(StepBuilder &at, Value mask, int64_t width, ValueRange counters, double probability) override {
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    const auto p = static_cast<float>(probability);
    const bool none = !(p < 1.0f);
    const uint32_t threshold = p > 0 && !none ? static_cast<uint32_t>(static_cast<double>(p) * 4294967296.0) : 0;
    const float scale = none ? 0.0f : 1.0f / (1.0f - (p > 0 ? p : 0.0f));
    Type i32 = b.getI32Type();
    auto low = [&](Value v) -> Value { return arith::TruncIOp::create(b, loc, i32, v); };
    auto high = [&](Value v) { return low(arith::ShRUIOp::create(b, loc, v, wide(b, loc, 32))); };
    Value key = mixed(b, loc, mixed(b, loc, mixed(b, loc, counters[2]), counters[3]), counters[4]);
    Value place = low(counters[0]), record[] = {low(counters[1]), high(counters[1])}, keys[] = {low(key), high(key)};
    Value keep = f32Constant(b, loc, scale), drop = f32Constant(b, loc, 0), bound = word(b, loc, threshold);
    const bool whole = width % packed == 0 && isAligned(mask);
    overColumns(at, (width + packed - 1) / packed, [&](Value number) {
      SmallVector<Value> words{arith::IndexCastOp::create(b, loc, i32, number), place, record[0], record[1]};
      philox(b, loc, words, keys[0], keys[1]);
      SmallVector<Value> multipliers;
      for (Value bits : words) {
        Value kept = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, bits, bound);
        multipliers.push_back(arith::SelectOp::create(b, loc, kept, keep, drop));
      }
      Value column = arith::MulIOp::create(b, loc, number, at.constant(packed));
      if (whole) {
        storePacked(b, loc, multipliers, mask, column);
        return;
      }
      for (auto [i, multiplier] : llvm::enumerate(multipliers)) {
        Value here = arith::AddIOp::create(b, loc, column, at.constant(static_cast<int64_t>(i)));
        Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, here, at.constant(width));
        auto branch = scf::IfOp::create(b, loc, inside, /*withElseRegion=*/false);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(branch.thenBlock());
        memref::StoreOp::create(b, loc, multiplier, mask, ValueRange{here});
      }
    });
    synchronize(at);
  }

private:
  static int64_t rounded(int64_t bytes) { return (bytes + 63) / 64 * 64; }

  /// A launch whose teams take a piece each, or, where scratch is in the arena, one piece after another.
  kernel::LaunchOp write(StepBuilder &at, const Work &work, Body body) {
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    Value items = work.section < 0 ? at.constant(work.most) : at.get("capacity", b.getIndexType(), work.section);
    if (work.section >= 0 && work.most > 0) {
      items = arith::MinUIOp::create(b, loc, items, at.constant(work.most));
    }
    if (inArena) {
      items = arith::MinUIOp::create(b, loc, items, at.constant(arenaTeams));
    }
    auto launch = kernel::LaunchOp::create(b, loc, items, team, 0);
    Block &here = launch.getBody().emplaceBlock();
    Type index = b.getIndexType();
    here.addArguments({index, index, index}, {loc, loc, loc});
    Value item = here.getArgument(0), slot = here.getArgument(2);
    at.inScope(here, inArena ? item : slot, [&] {
      lane = here.getArgument(1);
      Value count = work.count(), one = at.constant(1);
      OpBuilder::InsertionGuard guard(b);
      if (inArena) {
        auto loop = scf::ForOp::create(b, loc, item, count, at.constant(arenaTeams));
        b.setInsertionPointToStart(loop.getBody());
        synchronize(at);
        body(loop.getInductionVar(), arith::AddIOp::create(b, loc, loop.getInductionVar(), one));
        return;
      }
      Value exists = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, item, count);
      auto branch = scf::IfOp::create(b, loc, exists, /*withElseRegion=*/false);
      b.setInsertionPointToStart(branch.thenBlock());
      body(item, arith::AddIOp::create(b, loc, item, one));
    });
    launch.setShared(static_cast<uint64_t>(rounded(reservedBytes() + at.workerBytes())));
    return launch;
  }

  //===--- the team -------------------------------------------------------------------------------------------------===//

  /// Calls a function of the team, which the device's module gets (compiler/emit/device_code.cpp).
  static Value device(StepBuilder &at, StringRef name, TypeRange results = {}, ValueRange arguments = {}) {
    OpBuilder &b = at.builder();
    if (!at.symbols().lookup(name)) {
      OpBuilder top = OpBuilder::atBlockBegin(cast<ModuleOp>(at.symbols().getOp()).getBody());
      auto declared = func::FuncOp::create(top, at.where(), name, b.getFunctionType(arguments.getTypes(), results));
      declared.setPrivate();
      at.symbols().insert(declared);
    }
    auto call = func::CallOp::create(b, at.where(), name, results, arguments);
    return results.empty() ? Value() : call.getResult(0);
  }

  void synchronize(StepBuilder &at) {
    if (team > 1) {
      device(at, team == warp ? "penstock_sync_warp" : "penstock_sync_block");
    }
  }

  /// What one thread does for its team.
  void first(StepBuilder &at, llvm::function_ref<void()> write) {
    if (team == 1) {
      return write();
    }
    OpBuilder &b = at.builder();
    Value isFirst = arith::CmpIOp::create(b, at.where(), arith::CmpIPredicate::eq, lane, at.constant(0));
    auto branch = scf::IfOp::create(b, at.where(), isFirst, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    write();
  }

  static Value shuffled(StepBuilder &at, Value value, int64_t mask) {
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    Type type = value.getType(), i32 = b.getI32Type(), i64 = b.getI64Type();
    auto half = [&](Value bits) { return device(at, "penstock_shuffle_xor", i32, {bits, word(b, loc, static_cast<uint32_t>(mask))}); };
    if (type.getIntOrFloatBitWidth() == 32) {
      Value bits = type.isInteger() ? value : arith::BitcastOp::create(b, loc, i32, value).getResult();
      Value other = half(bits);
      return type.isInteger() ? other : arith::BitcastOp::create(b, loc, type, other).getResult();
    }
    Value bits = arith::BitcastOp::create(b, loc, i64, value);
    Value low = half(arith::TruncIOp::create(b, loc, i32, bits));
    Value high = half(arith::TruncIOp::create(b, loc, i32, arith::ShRUIOp::create(b, loc, bits, wide(b, loc, 32))));
    Value top = arith::ShLIOp::create(b, loc, arith::ExtUIOp::create(b, loc, i64, high), wide(b, loc, 32));
    return arith::BitcastOp::create(b, loc, type, arith::OrIOp::create(b, loc, top, arith::ExtUIOp::create(b, loc, i64, low)));
  }

  static Value identity(OpBuilder &b, Location loc, Type type, Combine combine) {
    return combine == Combine::bitOr ? arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, 0)).getResult()
                                     : arith::ConstantOp::create(b, loc, b.getFloatAttr(type, combine == Combine::add ? 0.0 : -INFINITY));
  }

  static Value join(OpBuilder &b, Location loc, Combine combine, Value x, Value y) {
    switch (combine) {
    case Combine::add:
      return arith::AddFOp::create(b, loc, x, y);
    case Combine::maximum:
      return arith::SelectOp::create(b, loc, arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, y, x), y, x);
    case Combine::bitOr:
      return arith::OrIOp::create(b, loc, x, y);
    }
    return {};
  }

  Value overTeam(StepBuilder &at, Value value, Combine combine) {
    if (team == 1) {
      return value;
    }
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    for (int64_t mask = warp / 2; mask > 0; mask /= 2) {
      value = join(b, loc, combine, value, shuffled(at, value, mask));
    }
    if (team == warp) {
      return value;
    }
    // Over the warps, in their order.
    Value cells = memref::ViewOp::create(b, loc, MemRefType::get({block / warp}, value.getType()), at.get("shared", bytes(b)),
                                         at.constant(0), ValueRange());
    Value number = arith::DivUIOp::create(b, loc, lane, at.constant(warp)),
          within = arith::RemUIOp::create(b, loc, lane, at.constant(warp));
    auto branch = scf::IfOp::create(b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, within, at.constant(0)), false);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      memref::StoreOp::create(b, loc, value, cells, ValueRange{number});
    }
    synchronize(at);
    Value all = at.loadAt(cells, at.constant(0));
    for (int64_t i = 1; i < block / warp; ++i) {
      all = join(b, loc, combine, all, at.loadAt(cells, at.constant(i)));
    }
    synchronize(at);
    return all;
  }

  static MemRefType bytes(OpBuilder &b) { return MemRefType::get({ShapedType::kDynamic}, b.getI8Type()); }

  //===--- columns --------------------------------------------------------------------------------------------------===//

  /// `body` of each of `count` numbers, of which a thread has those that are its own modulo the team.
  void overColumns(StepBuilder &at, int64_t count, llvm::function_ref<void(Value)> body) {
    if (team == 1) {
      return overSome(at, at.constant(count), body);
    }
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    auto guarded = [&](Value number) {
      if (count % team == 0) {
        return body(number);
      }
      Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, number, at.constant(count));
      auto branch = scf::IfOp::create(b, loc, inside, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      body(number);
    };
    if (count <= team) {
      return guarded(lane);
    }
    // A number of rounds that is known: LLVM unrolls them.
    auto loop = scf::ForOp::create(b, loc, at.constant(0), at.constant((count + team - 1) / team), at.constant(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value begin = arith::MulIOp::create(b, loc, loop.getInductionVar(), at.constant(team));
    guarded(arith::AddIOp::create(b, loc, begin, lane));
  }

  void overSome(StepBuilder &at, Value count, llvm::function_ref<void(Value)> body) {
    OpBuilder &b = at.builder();
    auto loop = scf::ForOp::create(b, at.where(), team == 1 ? at.constant(0) : lane, count, at.constant(team));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }

  static void storePacked(OpBuilder &b, Location loc, ValueRange numbers, Value memory, Value column) {
    auto type = VectorType::get({packed}, numbers.front().getType());
    Value vector = vector::FromElementsOp::create(b, loc, type, numbers);
    vector::StoreOp::create(b, loc, vector, memory, ValueRange{column}, /*nontemporal=*/false, llvm::MaybeAlign(packed * 4));
  }

  /// `size` neighbouring elements, the `number`-th such group.
  static void elements(StepBuilder &at, ValueRange ins, ValueRange outs, Element body, Value number, int64_t size) {
    OpBuilder &b = at.builder();
    const Location loc = at.where();
    Value column = size == 1 ? number : arith::MulIOp::create(b, loc, number, at.constant(size)).getResult();
    SmallVector<Value> loaded;
    for (Value memory : llvm::concat<Value>(ins, outs)) {
      Type element = cast<MemRefType>(memory.getType()).getElementType();
      loaded.push_back(size == 1 ? memref::LoadOp::create(b, loc, memory, ValueRange{column}).getResult()
                                 : vector::LoadOp::create(b, loc, VectorType::get({size}, element), memory, ValueRange{column},
                                                          /*nontemporal=*/false, llvm::MaybeAlign(size * 4)));
    }
    SmallVector<SmallVector<Value>> results(outs.size());
    for (int64_t i = 0; i < size; ++i) {
      SmallVector<Value> each;
      for (Value value : loaded) {
        each.push_back(size == 1 ? value : vector::ExtractOp::create(b, loc, value, i).getResult());
      }
      Value place;
      auto index = [&]() -> Value {
        if (!place) {
          place = i == 0 ? column : arith::AddIOp::create(b, loc, column, at.constant(i)).getResult();
        }
        return place;
      };
      for (auto [result, value] : llvm::zip(results, body(b, loc, each, index))) {
        result.push_back(value);
      }
    }
    for (auto [memory, values] : llvm::zip(outs, results)) {
      if (size == 1) {
        memref::StoreOp::create(b, loc, values.front(), memory, ValueRange{column});
      } else {
        storePacked(b, loc, values, memory, column);
      }
    }
  }

  //===--- random numbers -------------------------------------------------------------------------------------------===//

  static Value word(OpBuilder &b, Location loc, uint32_t value) {
    return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  static Value wide(OpBuilder &b, Location loc, uint64_t value) {
    return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(static_cast<int64_t>(value)));
  }

  /// SplitMix64's finalizer of `value`, or of what was mixed before with it.
  static Value mixed(OpBuilder &b, Location loc, Value value, Value with = {}) {
    Value z = with ? arith::XOrIOp::create(b, loc, value, with).getResult() : value;
    auto folded = [&](uint64_t shift, uint64_t factor) {
      z = arith::XOrIOp::create(b, loc, z, arith::ShRUIOp::create(b, loc, z, wide(b, loc, shift)));
      z = factor == 0 ? z : arith::MulIOp::create(b, loc, z, wide(b, loc, factor)).getResult();
    };
    z = arith::AddIOp::create(b, loc, z, wide(b, loc, 0x9E3779B97F4A7C15u));
    folded(30, 0xBF58476D1CE4E5B9u);
    folded(27, 0x94D049BB133111EBu);
    folded(31, 0);
    return z;
  }

  static void philox(OpBuilder &b, Location loc, SmallVectorImpl<Value> &c, Value k0, Value k1) {
    auto exclusive = [&](Value x, Value y, Value z) -> Value {
      return arith::XOrIOp::create(b, loc, arith::XOrIOp::create(b, loc, x, y), z);
    };
    Value step0 = word(b, loc, 0x9E3779B9u), step1 = word(b, loc, 0xBB67AE85u);
    Value factor0 = word(b, loc, 0xD2511F53u), factor1 = word(b, loc, 0xCD9E8D57u);
    for (int round = 0; round < 10; ++round) {
      auto first = arith::MulUIExtendedOp::create(b, loc, c[0], factor0), second = arith::MulUIExtendedOp::create(b, loc, c[2], factor1);
      c = SmallVector<Value>{exclusive(second.getHigh(), c[1], k0), second.getLow(), exclusive(first.getHigh(), c[3], k1), first.getLow()};
      k0 = arith::AddIOp::create(b, loc, k0, step0);
      k1 = arith::AddIOp::create(b, loc, k1, step1);
    }
  }

  const int64_t least;
  int64_t team = 1;                        // threads
  Value lane;                              // of the thread at hand in its team
  bool inArena = false, usedArena = false; // scratch of the launch at hand, of any
};

} // namespace

std::unique_ptr<Execution> teamExecution(std::int64_t least) { return std::make_unique<TeamExecution>(least); }

} // namespace penstock
