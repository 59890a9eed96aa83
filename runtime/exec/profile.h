// Where the time of training went: by step of the compiled program, with what the program says of each.
#pragma once

#include "runtime/device/device.h"
#include "runtime/kernels/machine_speed.h"

#include <string>
#include <vector>

namespace penstock {

/// Observes a program that was compiled for a profile. All memory is taken when it is made: observing a step allocates nothing.
class Profile final : public StepObserver {
public:
  /// The program must outlive the profile. `objectives`: their names, "" of one that has none.
  Profile(const PenstockProgram &program, const MachineSpeed &machine, int workers, std::vector<std::string> objectives);

  std::int64_t submitted(const PenstockEntry &entry, const PenstockBatch *batch) override;
  void ran(std::int64_t launch, int index, std::int64_t begin, std::int64_t end) override;

  /// The table that `penstock train --profile` prints: of the entry `train_step`, steps of one code and place together, the longest first.
  std::string text() const;
  /// The first runs as a Chrome trace (https://ui.perfetto.dev opens it): one event a step.
  std::string trace() const;

private:
  struct Sum {
    std::int64_t calls = 0, nanoseconds = 0;
    double flops = 0, bytes = 0;
    void add(const Sum &other);
  };
  struct Event {
    const PenstockEntry *entry;
    int index;
    std::int64_t begin, end;
    double flops, bytes;
  };
  /// What amounts follow from, of a launch that may be in flight.
  struct Shape {
    const PenstockEntry *entry = nullptr;
    double records = 0;
    std::vector<double> rows, pairs; // of each axis
  };
  double amount(const PenstockAmount &amount, const Shape &shape) const;
  std::string textOf(std::size_t entry) const;
  std::string rates(const Sum &sum) const;

  const PenstockProgram &program;
  MachineSpeed machine;
  int workers;
  std::vector<std::string> objectives;
  std::vector<std::vector<Sum>> sums; // of each entry, of each step
  std::vector<Event> events;          // until its capacity is used up
  std::vector<Shape> shapes;          // of the last launches, by their numbers
  std::int64_t launches = 0;
  std::int64_t begun = 0;
};

} // namespace penstock
