// A run of a classifier: what Run does, and the accuracy on the test split after every epoch.
#pragma once
#include "engine/classifier/trainer.h"
#include "engine/run/run.h"

namespace gannet {

class ClassifierRun : public Run {
public:
    ClassifierRun(ClassifierTrainer& trainer, const RunFolder& folder, const Checkpoint* checkpoint);

private:
    config::Members figures() override;
    std::string brief() override;
    void diagnose(bool last) override;
    Trace new_trace() const override;

    ClassifierTrainer& trainer_;
    Dataset test_;
};

}  // namespace gannet
