// One launch per network over its flat parameter buffer of n elements. They update in place.

// state->updates += 1, and computes the bias corrections. Runs before the update itself.
void optimizer_advance_update(OptimizerState* state, double beta1, double beta2, Stream stream);
// updates w and its moments m and v with the gradient g
KERNEL void adam_update(T* w, T* m, T* v, const T* g, const OptimizerState* state, const AdamParameters& p, int64_t n,
                        Stream stream);
// m is the momentum buffer, which may be null if p.momentum == 0
KERNEL void rmsprop_update(T* w, T* v, T* m, const T* g, const OptimizerState* state, const RmspropParameters& p, int64_t n,
                           Stream stream);
KERNEL void sgd_update(T* w, T* m, const T* g, const OptimizerState* state, const SgdParameters& p, int64_t n, Stream stream);
KERNEL void lion_update(T* w, T* m, const T* g, const OptimizerState* state, const LionParameters& p, int64_t n, Stream stream);
// w = min(max(w, -limit), limit): weight clipping
KERNEL void clip_update(T* w, T limit, int64_t n, Stream stream);
// sum += g: gradient accumulation over several batches
KERNEL void accumulate_update(T* sum, const T* g, int64_t n, Stream stream);
// counters->step += 1, counters->images_seen += images
void advance_update(Counters* counters, int64_t images, Stream stream);
