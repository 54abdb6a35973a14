#include "engine/model/sections.h"

#include "engine/config/keys.h"
#include "engine/model/choices.h"

namespace gannet::config {

const ObjectSpec file_spec = {
    "The file",
    "One object. It must have exactly one of `steps` and `epochs`; `--steps` and `--epochs` replace either.",
    {
        text("base", {}, "another model file that is read first; this file then has only the differences (see above)"),
        anything("set", "with `base`: an object of paths as in `--set`, and their values"),
        free_at_resume(text("name", {}, "name of the model and its run folder; default: the file's name")),
        free_at_resume(text("version", {}, "the version that wrote a run's `config.json`; ignored when read")),
        anything("variables", "an object of integers, or expressions of earlier variables"),
        section("data", data_spec, "the real images"),
        section("latent", latent_spec, "the generator's input"),
        section("init", init_spec, "initial values of the parameters"),
        required(layers("generator", "its layers, from the latent vector to the image")),
        required(layers("discriminator", "its layers, from the image to one value")),
        required(object("objective", &objective_spec, "losses and schedule")),
        required(anything("optimizer", "the optimizer")),
        integer("batch", 64, 1, 1e6, "number of real images in a batch; a GAN has as many fake images"),
        replacing("epochs",
                  free_at_resume(
                      integer("steps", {}, 1, 1e12,
                              "length of the training in steps; a GAN's step is `critic_steps` updates of the discriminator and "
                              "`generator_steps` of the generator, a classifier's is one update"))),
        replacing("steps", free_at_resume(integer("epochs", {}, 1, 1e9, "length of the training in passes over the data"))),
        integer("seed", 0, 0, no_limit, "seed of all random numbers; the same seed gives the same bits"),
        free_at_resume(section("samples", samples_spec, "the grids of samples")),
        free_at_resume(section("observe", observe_spec, "diagnostics of the training")),
        free_at_resume(word("on_collapse", "warn", words(stop_on_collapse),
                            "if the losses or the samples show that the training has collapsed: print a warning and log an "
                            "event (`warn`), or also save the state and end the run (`stop`, exit status 1)")),
        section("compute", compute_spec, "number formats of the computation"),
        section("cpu", cpu_spec, "how a CPU computes"),
        section("cuda", cuda_spec, "how a GPU computes"),
        free_at_resume(integer("log_every", 0, 0, 1e12, "steps between log rows; 0: about 1,000 rows per run")),
        free_at_resume(number("checkpoint_every", 300.0, 0, 1e9, "seconds between checkpoints")),
        boolean("fuse", true, "fuse neighbouring layers where possible, so that fewer kernels run"),
        boolean("share_scores", true,
                "with `fakes: reuse` and `update_order: generator_first`, both updates share one forward pass of the "
                "discriminator on the fakes, unless it has dropout; the bits are the same, except with `join_batches`"),
        boolean("join_batches", true,
                "the discriminator takes real and fake images as one batch if none of its layers couples samples or draws "
                "random numbers; sums over the batch are then rounded in a different order: in the first update the relative "
                "difference of the gradient norm is below 1e-4"),
        boolean("allow_size_mismatch", false,
                "allow generated images of a different size than the data's, if the discriminator accepts both; only for "
                "reproducing published networks with this mistake, because the discriminator can then tell real from fake by "
                "the size alone"),
    }};

const ObjectSpec classifier_file_spec = [] {
    ObjectSpec out = {
        "A classifier",
        "A file with the list `classifier` instead of the two of a GAN trains a network to predict the data set's labels, "
        "by softmax cross-entropy, and reports the accuracy on the test split after every epoch. `apps/evaluate` uses it to "
        "measure samples.",
        {required(layers("classifier",
                         "its layers, from the image to one score per label; the last is `linear` without an "
                         "activation"))}};
    for (const Key& key : file_spec.keys)
        for (const char* shared : {"base", "set", "name", "version", "variables", "data", "init", "optimizer", "batch", "steps",
                                   "epochs", "seed", "compute", "cpu", "cuda", "log_every", "checkpoint_every", "fuse"})
            if (key.name == shared) out.keys.push_back(key);
    return out;
}();

const ObjectSpec data_spec = {
    "data",
    "",
    {
        word("set", "mnist", dataset_names(), "the data set"),
        free_at_resume(path(text("path", "",
                                 "folder with its files, or, for the set `folder`, a folder or a tar or zip archive; empty: "
                                 "the standard places are searched"))),
        word("split", "train", {"train", "test"}, "`train` or `test` split"),
        integer("size", 0, 0, 4096, "side of the square to resize to, in pixels; 0: keep the size"),
        integer("channels", 0, -no_limit, no_limit,
                "1: grey; 3: colour (grey images get three equal channels); 0: as in the files, and colour for `folder`; no "
                "other number"),
        integer("first", 0, 0, 1e12, "use only the first N images; 0: all"),
        integer("crop", 0, 0, 65536, "for `folder`: side of the centre square to crop before the resize; 0: no crop"),
        text("background", "white", "for `folder`: the background colour of transparent pixels, `white`, `black` or `#rrggbb`"),
        free_at_resume(word("broken", "error", words(skip_broken),
                            "for `folder`: what to do with a file that cannot be decoded or a folder that cannot be read: "
                            "`error`, or `skip` it and count it")),
        free_at_resume(boolean("cache", true,
                               "for `folder`: cache the decoded images in `~/.cache/gannet` (20 GB at most, or "
                               "`GANNET_CACHE_GB`)")),
        free_at_resume(
            integer("max_pixels", 100000000, 1, 1e12, "for `folder`: a file with more pixels is refused before it is decoded")),
        free_at_resume(integer("max_bytes", 1073741824, 1, 1e15,
                               "for an archive: the largest unpacked size; an archive that unpacks to more is refused, "
                               "unless that is at most 200 times its own size")),
        {.name = "range",
         .kind = Kind::numbers,
         .doc = "values of black and white; the default suits a generator that ends in `tanh`; use `[0, 1]` for `sigmoid`",
         .otherwise = List{-1.0, 1.0},
         .min = -1e6,
         .max = 1e6,
         .length = 2},
        boolean("shuffle", true, "use a new order in each epoch"),
    }};

const ObjectSpec latent_spec = {"latent",
                                "The random vector that the generator turns into an image.",
                                {
                                    integer("size", 100, 1, 1e6, "number of values"),
                                    word("distribution", "normal", words(distributions),
                                         "`normal`: mean 0, standard deviation 1; `uniform`: between -1 and 1"),
                                }};

const ObjectSpec init_spec = {
    "init",
    "`torch` is U(-b, b) with b = 1 / sqrt(fan in), PyTorch's default for weights and biases; `normal` is N(0, std); the "
    "others are those of Glorot and He.",
    {
        word("conv", "torch", words(weight_rules), "weights of `conv2d` and `conv_transpose2d`"),
        word("linear", "torch", words(weight_rules), "weights of `linear`"),
        number("std", 0.02, 0, 1e3, "standard deviation of `normal`"),
        word("bias", "torch", words(zero_biases), "biases of those layers"),
        number("gamma_std", 0.0, 0, 1e3, "batch norm scales are initialised as N(1, gamma_std)"),
    }};

const ObjectSpec samples_spec = {"samples",
                                 "Grids of images generated from the same latent vectors, as PNG files in the run's folder.",
                                 {
                                     integer("rows", 8, 1, 100, "rows of the grid"),
                                     integer("columns", 8, 1, 100, "columns of the grid"),
                                     integer("every", 0, 0, 1e12, "steps between grids; 0: about 20 per run"),
                                     word("statistics", "running", words(batch_statistics),
                                          "batch norm uses its `running` statistics, or those of the `batch` of samples"),
                                     word("contrast", "fixed", words(min_max_contrast),
                                          "black and white are `data.range` (`fixed`), or the smallest and largest value of "
                                          "the grid (`min_max`, as torchvision's `normalize=True`), which hides low contrast"),
                                 }};

const ObjectSpec observe_spec = {
    "observe",
    "Diagnostics in the log and `plots/`: histograms of the weights and of their gradients, the mean and spread of each "
    "layer's output, pixel mean, spread and variety of the samples and of the data, the discriminator's scores of both, "
    "and the gradient norm under a gradient penalty. They do not change the training. One observation, plots "
    "included, takes 16 ms of one thread with vanilla.json, 30 with dcgan.json, 41 with wgan.json: every 100 steps, 1.2, 0.5 "
    "and 0.1 % of the time.",
    {
        integer("every", 0, 0, 1e12, "steps between observations; 0: about 50 per run, at least 100 steps apart"),
    }};

const ObjectSpec compute_spec = {
    "compute",
    "Number formats of the computation. Sums are fp32. If the device lacks a format, a new training is refused before its first "
    "step; "
    "`--resume`, `apps/generate` and `apps/evaluate` print a warning and use fp32.",
    {
        word("precision", "fp32", words(precisions),
             "precision of the factors of matrix products and convolutions: `fp32`, or `tf32` or `bf16` on the tensor "
             "cores of a GPU (sm_80 and later), where convolutions that are not one matrix product stay fp32"),
        word("storage", "fp32", words(storages), "how activations and packed weights are stored; no device supports `bf16` yet"),
    }};

const ObjectSpec cpu_spec = {
    "cpu",
    "How a CPU computes. Ignored on a GPU.",
    {
        boolean("exact", false,
                "compute 4x4 convolutions of stride 2 directly instead of with Winograd: takes about twice the time; "
                "Winograd's rounding errors are four to sixteen times as large, up to 8e-6 of the values"),
    }};

const ObjectSpec cuda_spec = {
    "cuda",
    "How a GPU computes. A CPU ignores these keys except `precision`.",
    {
        free_at_resume(boolean("graph", true,
                               "record a training step once as a CUDA graph and replay it; the bits are the same without it")),
        word("precision", {}, words(precisions), "the old name of `compute.precision`; not both"),
        word("matmul", "auto", words(matmul_choices),
             "GEMM implementation: `own` kernels, `cublas`, or `auto`, a fixed rule based on shape and GPU"),
        path(anything("tune",
                      "a GEMM tuning table that `apps/bench MODEL --tune FILE` wrote on this GPU model; used for "
                      "the shapes that it lists if `matmul` is `auto`. The run's `config.json` contains the table")),
        free_at_resume(word("data", "auto", words(cuda_data),
                            "keep the images `resident` in the GPU's memory, or have them `streamed` to it during the "
                            "training; `auto` streams a "
                            "set that takes more than half of the free memory")),
    }};

const std::vector<const ObjectSpec*>& model_specs() {
    static const std::vector<const ObjectSpec*> all = [] {
        std::vector<const ObjectSpec*> specs = {&file_spec,    &data_spec,       &latent_spec,  &init_spec,     &objective_spec,
                                                &penalty_spec, &accumulate_spec, &warm_up_spec, &overrides_spec};
        for (const OptimizerKind& kind : optimizer_kinds()) specs.push_back(&kind.spec);
        specs.push_back(&samples_spec);
        specs.push_back(&observe_spec);
        specs.push_back(&compute_spec);
        specs.push_back(&cpu_spec);
        specs.push_back(&cuda_spec);
        specs.push_back(&classifier_file_spec);
        return specs;
    }();
    return all;
}

}  // namespace gannet::config
