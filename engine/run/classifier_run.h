// A run of a classifier: also reports the accuracy on the test split after every epoch.
#pragma once
#include "engine/classifier/trainer.h"
#include "engine/run/run.h"

namespace gannet {

// The checked test split of a classifier's data; empty for a folder, which has none.
Dataset test_split(const ClassifierTrainer& trainer);

class ClassifierRun : public Run {
public:
    // `test` may be empty: then no accuracy is reported.
    ClassifierRun(ClassifierTrainer& trainer, Dataset test, const RunFolder& folder, const Checkpoint* checkpoint);

private:
    json::Members figures() override;
    std::string brief() override;
    void diagnose(bool last) override;
    Trace new_trace() const override;

    ClassifierTrainer& trainer_;
    Dataset test_;
};

}  // namespace gannet
