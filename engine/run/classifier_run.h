// A run of a classifier: what Run does, and the accuracy on the test split after every epoch.
#pragma once
#include "engine/classifier/trainer.h"
#include "engine/run/run.h"

namespace gannet {

// The test split of a classifier's data, checked; empty where the data set is a folder, which has none.
Dataset test_split(const ClassifierTrainer& trainer);

class ClassifierRun : public Run {
public:
    // `test` may be empty: then nothing is said about it.
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
