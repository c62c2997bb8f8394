"""kohya's settings mean there what they mean in kohya's programs: absent keys, counts, sections, paths."""

import json

import pytest
from helpers import draw_pictures
from PIL import Image
from reading import read, said

from extension_lib import imports
from extension_lib.commands.training import read_run
from extension_lib.config.run import from_dict
from extension_lib.hosts.standalone import Standalone
from extension_lib.settings import SettingError

pytestmark = pytest.mark.once
SMALLEST = {"train_batch_size": 4, "LoRA_type": "Standard", "train_data_dir": "img", "caption_extension": ".txt"}


@pytest.fixture
def folder(tmp_path):
    """Five pictures of one size; their captions are .txt files."""
    draw_pictures(tmp_path / "img", 5)
    return tmp_path


def of_shapes(folder, *sizes):
    folder.mkdir()
    for n, size in enumerate(sizes):
        Image.new("RGB", size, "red").save(folder / f"{n}.png")
        (folder / f"{n}.txt").write_text("a zwx ghost", encoding="utf-8")


# ---- what is absent

def test_an_absent_key_of_a_dataset_file_has_kohya_s_default(folder):
    text = "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'img'\nclass_tokens = 'zwx'"
    imported, run = read(folder, "set.toml", text)
    data = run.data
    assert (data.buckets, run.training.batch_size, data.keep_first, data.shuffle_captions) == (False, 1, 0, False)
    assert run.concepts[0].instance_prompt == "zwx" and said(imported, "caption_extension = .caption", ".txt files")


@pytest.mark.parametrize("extension, prompt", [("", "[filewords]"), ("caption_extension = '.txt'", "zwx")])
def test_captions_of_kohya_s_default_extension_are_found(tmp_path, extension, prompt):
    folder = draw_pictures(tmp_path / "img", 2)
    for caption in folder.glob("*.txt"):
        caption.rename(caption.with_suffix(".caption"))
    text = f"[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'img'\nclass_tokens = 'zwx'\n{extension}"
    assert read(tmp_path, "set.toml", text)[1].concepts[0].instance_prompt == prompt


def test_an_absent_key_of_kohya_ss_has_its_page_s_default(folder):
    _, run = read(folder, "a.json", {**SMALLEST, "train_batch_size": 1})
    assert (run.method.rank, run.method.alpha, run.training.warmup, run.training.schedule) == (8, 1.0, 0.1, "cosine")
    data, training = run.data, run.training
    assert (data.buckets, data.keep_first, training.steps, training.checkpointing) == (True, 0, 5, False)


def test_an_absent_key_of_a_db_config_has_that_extension_s_default(folder):
    concepts = [{"instance_data_dir": "img", "instance_prompt": "a zwx ghost"}]
    _, run = read(folder, "db_config.json", {"concepts_list": concepts})
    assert (run.training.batch_size, run.training.steps, run.prior.weight) == (1, 500, 0.75)
    assert (run.method.ema, run.data.shuffle_captions, run.method.unet_rate) == (0.9999, True, 5e-6)


# ---- steps

@pytest.mark.parametrize("given, steps", [({"epoch": 100}, 125), ({"max_train_epochs": 100}, 200),
                                          ({"epoch": 3, "gradient_accumulation_steps": 2}, 2)])
def test_five_pictures_by_four_are_counted_as_kohya_ss_and_kohya_s_scripts_count_them(folder, given, steps):
    assert read(folder, "a.json", {**SMALLEST, **given})[1].training.steps == steps


def test_pictures_of_three_shapes_are_three_batches_in_each_epoch(tmp_path):
    of_shapes(tmp_path / "img", (512, 512), (512, 768), (768, 512))
    given = {**SMALLEST, "max_train_epochs": 10, "save_every_n_epochs": 2}
    _, run = read(tmp_path, "a.json", given)
    assert (run.training.steps, run.saving.save_every) == (30, 6)
    assert read(tmp_path, "a.json", {**given, "enable_bucket": False})[1].training.steps == 10


@pytest.mark.parametrize("given, steps", [({"lr_warmup": 80}, 50), ({"lr_warmup": 0, "lr_warmup_steps": 90}, 90),
                                          ({"lr_warmup": 0, "lr_warmup_steps": 0.25}, 25)])
def test_a_warmup_that_is_cut_is_named(folder, given, steps):
    imported, run = read(folder, "a.json", {**SMALLEST, "max_train_steps": 100, **given})
    assert run.training.warming_up == steps and said(imported, "lr_warmup", "at most 50%") == (steps == 50)


def test_an_alpha_of_zero_is_one_as_large_as_the_rank(folder):
    given = {**SMALLEST, "LoRA_type": "Kohya LoCon", "network_dim": 12, "network_alpha": 0, "conv_dim": 6,
             "conv_alpha": "0"}
    method = read(folder, "a.json", given)[1].method
    assert (method.rank, method.alpha, method.conv_rank, method.conv_alpha) == (12, 12.0, 6, 6.0)


# ---- noise and loss

@pytest.mark.parametrize("given, values, named", [
    ({}, {"loss": "squared", "min_timestep": 0, "max_timestep": 1000, "multires_levels": 0}, ""),
    ({"loss_type": "huber", "huber_schedule": "exponential", "huber_c": 0.2},
     {"loss": "Huber", "huber_schedule": "exponential", "huber_c": 0.2}, ""),
    ({"loss_type": "smooth_l1"}, {"loss": "smooth L1", "huber_schedule": "snr", "huber_c": 0.1}, ""),
    ({"loss_type": "smooth_l1", "huber_schedule": "constant", "huber_scale": 2}, {"huber_c": 0.2}, ""),
    ({"loss_type": "huber", "huber_schedule": "exponential", "huber_scale": 2}, {"huber_c": 0.1}, "huber_scale = 2"),
    ({"loss_type": "l1"}, {"loss": "smooth L1", "huber_schedule": "constant", "huber_c": 0.001}, ""),
    ({"loss_type": "fft", "huber_c": 0.3}, {"loss": "squared"}, "loss_type = fft"),
    ({"noise_offset_type": "Multires", "noise_offset": 0.1, "multires_noise_iterations": 12,
      "multires_noise_discount": 0.2}, {"noise_offset": 0, "multires_levels": 10, "multires_discount": 0.2}, ""),
    ({"noise_offset_type": "Original", "noise_offset": 0.1, "multires_noise_iterations": 6,
      "multires_noise_discount": 0.2}, {"noise_offset": 0.1, "multires_levels": 0, "multires_discount": 0.3}, ""),
    ({"noise_offset": 0.1, "multires_noise_iterations": 6}, {"noise_offset": 0.1, "multires_levels": 6}, ""),
    ({"ip_noise_gamma": 0.1, "ip_noise_gamma_random_strength": True}, {"input_perturbation": 0.1}, "random_strength"),
    ({"min_timestep": 100, "max_timestep": "0"}, {"min_timestep": 100, "max_timestep": 1000}, ""),
    ({"max_timestep": 600}, {"min_timestep": 0, "max_timestep": 600}, "")])
def test_noise_and_loss_of_kohya_are_taken_over(folder, given, values, named):
    imported, run = read(folder, "a.json", {**SMALLEST, **given, "max_train_steps": 9})
    assert {name: getattr(run.noise, name) for name in values} == values
    assert len(imported.dropped) == bool(named) and said(imported, named) == bool(named)


@pytest.mark.parametrize("name, content", [
    ("train.toml", "train_data_dir = 'img'\ncaption_extension = '.txt'\ncaption_tag_dropout_rate = 0.2"),
    ("set.toml", "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'img'\ncaption_extension = '.txt'\n"
     "caption_tag_dropout_rate = 0.2")])
def test_tags_are_left_out_as_often_as_there(folder, name, content):
    imported, run = read(folder, name, content)
    assert run.data.tag_dropout == 0.2 and not said(imported, "caption_tag_dropout_rate")


# ---- class pictures and prompts

def test_regularisation_folders_of_kohya_ss_are_called_by_their_name(folder):
    draw_pictures(folder / "reg" / "1_grey ghost", 1)
    draw_pictures(folder / "reg" / "1_cat", 1)
    imported, run = read(folder, "a.json", {**SMALLEST, "reg_data_dir": "reg", "epoch": 4})
    concept = run.concepts[0]
    assert (concept.class_folder, concept.class_prompt, run.prior.preserve) == (str(folder / "reg"), "cat", True)
    assert said(imported, "reg_data_dir", "one name") and said(imported, "reg_data_dir", "10 steps of the 5")


@pytest.mark.parametrize("name, content", [
    ("a.json", {**SMALLEST, "reg_data_dir": "others"}),
    ("set.toml", "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'img'\n[[datasets.subsets]]\nimage_dir = 'others'\n"
     "is_reg = true")])
def test_class_pictures_without_a_name_are_off_and_named(folder, name, content):
    imported, run = read(folder, name, content)
    assert not run.prior.preserve and said(imported, "enter a class prompt")


def test_lines_of_sample_prompts_that_are_comments_are_left_out(folder):
    _, run = read(folder, "a.json", {**SMALLEST, "sample_prompts": "a ghost --w 512\n# comment\n\n  # more"})
    assert run.previews.prompts == ("a ghost",)


# ---- sd-scripts' own settings

TRAINING = """
pretrained_model_name_or_path = "model.safetensors"
train_data_dir = "img"
caption_extension = ".txt"
output_name = "ghost"
resolution = "512,768"
max_train_epochs = 4
sample_prompts = "prompts.txt"
{}
"""
LORA = """
network_module = "networks.lora"
network_dim = 32
network_alpha = 16
unet_lr = 2e-4
learning_rate = 1e-4
lr_scheduler = "cosine"
lr_warmup_steps = 0.05
optimizer_type = "AdamW8bit"
optimizer_args = ["weight_decay=0.1", "betas=(0.9, 0.99)"]
"""


@pytest.fixture
def training(folder):
    (folder / "prompts.txt").write_text("# mine\na zwx ghost --w 512\n", encoding="utf-8")
    (folder / "model.safetensors").touch()
    return folder


@pytest.mark.parametrize("sections", [False, True])
def test_sd_scripts_settings_are_read_as_the_lora_that_they_are(training, sections):
    between = "[network_arguments]\n" if sections else ""
    imported, run = read(training, "train.toml", ("[model]\n" if sections else "") + TRAINING.format(between + LORA))
    method, data = run.method, run.data
    assert (method.name, method.rank, method.alpha) == ("lora", 32, 16.0)
    assert (method.unet_rate, method.text_rate) == (2e-4, 1e-4)
    assert (data.resolution, data.buckets, data.keep_first, run.training.batch_size) == (627, False, 0, 1)
    assert (run.training.steps, run.training.warmup, run.training.schedule) == (20, 0.05, "cosine")
    assert (run.training.weight_decay, run.previews.prompts, imported.name) == (0.1, ("a zwx ghost",), "ghost")
    assert run.base.checkpoint == str(training / "model.safetensors") and run.saving.precision == "fp32"
    assert (run.training.optimizer, run.training.betas) == ("AdamW 8 bit", "0.9, 0.99")
    assert said(imported, "sample_prompts") and len(imported.dropped) == 1


@pytest.mark.parametrize("arguments, method, values", [
    ('network_module = "networks.lora"', "lora", {"rank": 4, "alpha": 1.0, "unet_rate": 2e-6}),
    ('network_module = "networks.lora"\nnetwork_args = ["conv_dim=8"]', "locon", {"conv_rank": 8, "conv_alpha": 1.0}),
    ('network_module = "lycoris.kohya"\nnetwork_dim = 6', "locon", {"conv_rank": 6, "conv_alpha": 1.0}),
    ('network_module = "lycoris.kohya"\nnetwork_args = ["algo=lokr", "factor=4", "dora_wd=True", "preset=attn-mlp"]',
     "lokr", {"factor": 4, "dora": True, "layers": "attention and MLP"}),
    ('network_module = "networks.dylora"\nnetwork_args = ["unit=2"]', "dylora", {"block_size": 2}),
    ('network_module = "networks.lora"\nnetwork_train_unet_only = true', "lora", {"text_rate": 0.0, "unet_rate": 2e-6}),
    ('network_module = "networks.lora"\ntext_encoder_lr = [3e-5]', "lora", {"text_rate": 3e-5}),
    ('learning_rate = 1e-6\nmax_train_epochs = 0\nmax_train_steps = 200\nstop_text_encoder_training = 50', "dreambooth",
     {"unet_rate": 1e-6, "text_rate": 1e-6, "text_share": 0.25}),
])
def test_sd_scripts_network_arguments_choose_the_method(training, arguments, method, values):
    _, run = read(training, "train.toml", f'train_data_dir = "img"\ncaption_extension = ".txt"\n{arguments}')
    assert run.method.name == method and {name: getattr(run.method, name) for name in values} == values


def test_what_sd_scripts_networks_have_and_we_have_not_is_named(training):
    text = TRAINING.format('network_module = "networks.lora_flux"\nnetwork_args = ["rank_dropout_scale=True"]')
    imported, run = read(training, "train.toml", text)
    assert run.method.name == "lora" and said(imported, "network_module = networks.lora_flux", "plain LoRA")
    assert said(imported, "rank_dropout_scale = True", "no counterpart")


def test_a_dataset_file_beside_sd_scripts_settings_falls_back_on_them(training):
    (training / "set.toml").write_text("[[datasets]]\nbatch_size = 3\n[[datasets.subsets]]\nimage_dir = 'img'",
                                       encoding="utf-8")
    text = TRAINING.format(LORA).replace('train_data_dir = "img"', 'dataset_config = "set.toml"\nenable_bucket = true')
    _, run = read(training, "train.toml", text)
    assert (run.training.batch_size, run.data.buckets, run.data.resolution, run.training.steps) == (3, True, 627, 8)


# ---- odd values and paths

@pytest.mark.parametrize("key, value", [
    ("network_dim", [8]), ("unet_lr", [1, 2]), ("train_batch_size", [4]), ("max_train_steps", [100]), ("epoch", ["x"]),
    ("lr_warmup", {}), ("min_snr_gamma", [5]), ("seed", [1]), ("clip_skip", [2]), ("LoRA_type", ["Standard"]),
    ("save_every_n_epochs", [1]), ("network_dim", 10**400), ("lr_warmup", float("inf")), ("epoch", float("nan")),
    ("epoch", 1e308), ("max_train_epochs", 1e308), ("caption_extension", "x" * 300),
    ("dataset_config", "x" * 300), ("reg_data_dir", "x" * 300)])
def test_an_odd_value_refuses_its_key_alone(folder, key, value):
    imported, run = read(folder, "a.json", {**SMALLEST, key: value})
    assert said(imported, f"{key} = ") and run.concepts[0].folder == str(folder / "img")


@pytest.mark.parametrize("text", ["num_repeats = [3]", "num_repeats = 5000000", "keep_tokens = [1]",
                                  "batch_size = [2]"])
def test_an_odd_value_of_a_dataset_file_refuses_its_key_alone(folder, text):
    imported, run = read(folder, "set.toml", f"[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'img'\n{text}")
    assert said(imported, text.partition(" ")[0]) and run.concepts[0].repeats == 1


@pytest.mark.parametrize("key", ["num_class_images_per", "sample_seed", "class_guidance_scale", "save_infer_steps"])
def test_an_odd_value_of_a_concept_of_a_db_config_refuses_no_file(folder, key):
    concept = {"instance_data_dir": "img", "num_class_images_per": 1, "save_sample_prompt": "a ghost", key: [1]}
    assert len(read(folder, "db_config.json", {"concepts_list": [concept]})[1].concepts) == 1


FILES = {
    "run.toml": "[output]\nname = 'ghost'\n[base]\ncheckpoint = 'model.safetensors'\n[[concepts]]\nfolder = 'img'\n",
    "a.json": json.dumps({**SMALLEST, "pretrained_model_name_or_path": "model.safetensors"}),
    "train.toml": TRAINING.format(LORA),
    "db_config.json": json.dumps({"src": "model.safetensors", "concepts_list": [{"instance_data_dir": "img"}]}),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("work_in", ["elsewhere", "."])
def test_paths_are_looked_for_beside_their_file_then_in_the_working_folder(training, monkeypatch, name, work_in):
    """Wherever the program is started, and wherever the import is written."""
    beside = training / "settings" if work_in == "." else training
    for folder in (beside, training / "elsewhere"):
        folder.mkdir(exist_ok=True)
    (beside / name).write_text(FILES[name], encoding="utf-8")
    monkeypatch.chdir(training / work_in)
    run = from_dict(imports.read_settings(beside / name).values)
    assert (run.concepts[0].folder, run.base.checkpoint) == (str(training / "img"), str(training / "model.safetensors"))


def test_a_run_finds_folders_and_checkpoint_by_the_same_rule(training, monkeypatch):
    (training / "run.toml").write_text(FILES["run.toml"], encoding="utf-8")
    (training / "elsewhere").mkdir()
    monkeypatch.chdir(training / "elsewhere")
    run = read_run(training / "run.toml", {}, Standalone(training / "studio"))
    assert (run.concepts[0].folder, run.base.checkpoint) == (str(training / "img"), str(training / "model.safetensors"))


def test_a_windows_path_stays_one_and_a_title_is_no_path(training):
    text = FILES["run.toml"].replace("'img'", r"'C:\pictures\ghost'").replace("model.safetensors", "toyland")
    _, run = read(training, "run.toml", text)
    assert (run.concepts[0].folder, run.base.checkpoint) == (r"C:\pictures\ghost", "toyland")


def test_a_dataset_without_pictures_is_refused_by_name(tmp_path):
    with pytest.raises(SettingError, match="no .*subsets.* with pictures"):
        read(tmp_path, "set.toml", "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'img'\nnum_repeats = 0")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"train_batch_size": ' + "9" * 5000 + "}"])
def test_deep_json_and_endless_numbers_are_one_sentence(tmp_path, text):
    with pytest.raises(SettingError, match="odd.json is not a readable file"):
        read(tmp_path, "odd.json", text)
