"""Settings of other trainers: what is taken over, and that nothing is lost in silence."""

import json

import pytest
from helpers import draw_pictures
from reading import read, said

from extension_lib import __main__ as cli
from extension_lib import imports
from extension_lib.config import presets
from extension_lib.config.run import from_dict, to_dict
from extension_lib.data.folder import find_all_pictures
from extension_lib.settings import SettingError
from extension_lib.support import toml

pytestmark = pytest.mark.once


# ---- kohya's folders

@pytest.mark.parametrize("inner", ["img/10_zwx ghost", "10_zwx ghost", "."])
def test_kohya_s_folders_are_a_concept_counted_and_called_by_their_names(tmp_path, inner):
    root = tmp_path / "3_幽灵" if inner == "." else tmp_path / "幽灵"
    draw_pictures(root / inner, 2)
    for caption in (root / inner).glob("*.txt"):
        caption.unlink()
    imported = imports.read_settings(root)
    run = from_dict(imported.values)
    (found,) = find_all_pictures(run)
    assert [(i.repeats, i.prompt) for i in found.items] == [(3, "幽灵") if inner == "." else (10, "zwx ghost")] * 2
    assert (imported.dropped, run.prior.preserve) == ((), False) and imported.name in ("幽灵", "zwx ghost")


def test_kohya_s_regularisation_pictures_are_class_pictures(tmp_path):
    draw_pictures(tmp_path / "ghost" / "img" / "10_zwx ghost", 1)
    draw_pictures(tmp_path / "ghost" / "reg" / "1_ghost", 1)
    draw_pictures(tmp_path / "ghost" / "reg" / "2_cat", 1)
    imported = imports.read_settings(tmp_path / "ghost")
    run = from_dict(imported.values)
    assert (run.concepts[0].class_folder, run.concepts[0].class_prompt) == (str(tmp_path / "ghost" / "reg"), "ghost")
    assert run.prior.preserve and said(imported, "2_cat", "one name")


def test_a_folder_of_another_trainer_is_read_by_the_settings_in_it(tmp_path):
    draw_pictures(tmp_path / "pictures", 2)
    (tmp_path / "db_config.json").write_text(json.dumps(model(tmp_path / "pictures")), encoding="utf-8")
    assert imports.read_settings(tmp_path).name == "my ghost"


def test_a_folder_that_is_none_of_these_is_named(tmp_path):
    with pytest.raises(SettingError, match="has no folders named 10_something"):
        imports.read_settings(tmp_path)


# ---- kohya's dataset file

DATASET = """
[general]
shuffle_caption = true
caption_extension = '.txt'
keep_tokens = 1

[[datasets]]
resolution = [640, 480]
batch_size = 4
keep_tokens = 2
enable_bucket = true

  [[datasets.subsets]]
  image_dir = 'ghost'
  class_tokens = 'zwx ghost'
  num_repeats = 3
  caption_prefix = 'zwx, '

  [[datasets.subsets]]
  image_dir = 'cat'
  keep_tokens = 3
  color_aug = true

  [[datasets.subsets]]
  is_reg = true
  image_dir = 'others'
  class_tokens = 'ghost'
"""


@pytest.fixture
def pictures(tmp_path):
    for name in ("ghost", "cat", "others"):
        draw_pictures(tmp_path / name, 2)
    return tmp_path


def test_a_dataset_file_becomes_concepts_that_find_the_same_pictures(pictures):
    imported, run = read(pictures, "set.toml", DATASET)
    assert [i.repeats for found in find_all_pictures(run) for i in found.items] == [3, 3, 1, 1]
    assert all(p.startswith("zwx, a zwx ghost") for i in find_all_pictures(run)[0].items for p in i.prompts)
    assert (run.data.resolution, run.data.buckets, run.data.shuffle_captions, run.data.keep_first) == (554, True, True,
                                                                                                       2)
    assert (run.training.batch_size, run.prior.preserve) == (4, True)
    assert {c.class_folder
            for c in run.concepts} == {str(pictures / "others")} and run.concepts[0].class_prompt == ("ghost")
    assert imported.name == "set"


def test_what_a_subset_has_of_its_own_is_named(pictures):
    imported, _ = read(pictures, "set.toml", DATASET)
    assert said(imported, "keep_tokens = 2", "other subsets have 3") and said(imported, "color_aug = True")
    assert len(imported.dropped) == 2


@pytest.mark.parametrize("captioned, prompt, named", [(2, "[filewords]", False), (1, "[filewords]", True), (0, "zwx "
                                                                                                            "ghost",
                                                                                                            False)])
def test_class_tokens_are_for_pictures_without_a_caption(pictures, captioned, prompt, named):
    for n in range(captioned, 2):
        (pictures / "ghost" / f"{n}.txt").unlink()
    imported, run = read(pictures, "set.toml", DATASET.replace("  caption_prefix = 'zwx, '", ""))
    assert run.concepts[0].instance_prompt == prompt and said(imported, "class_tokens") == named


def test_a_folder_whose_name_would_count_twice_is_named(pictures):
    (pictures / "ghost").rename(pictures / "5_ghost")
    imported, _ = read(pictures, "set.toml", DATASET.replace("'ghost'\n  class", "'5_ghost'\n  class"))
    assert said(imported, "image_dir", "5_ghost", "in addition to num_repeats")


@pytest.mark.parametrize("text, words", [
    ("datasets = []", "no [[datasets.subsets]]"), ("[[datasets]]\n[[datasets.subsets]]\nnum_repeats = 2", "without "
                                                   "image_dir"),
    ("datasets = [3]", "its content does not match"), ("[other]\nx = 1", "is none of these"), ("[", "not a readable "
                                                                                                "TOML")])
def test_a_toml_file_that_is_none_is_named(tmp_path, text, words):
    with pytest.raises(SettingError) as error:
        read(tmp_path, "set.toml", text)
    assert words in str(error.value)


# ---- kohya_ss

GUI = {
    "LoRA_type": "LyCORIS/LoHa",
    "LyCORIS_preset": "attn-mlp",
    "network_dim": 8,
    "network_alpha": "4",
    "conv_dim": 1,
    "conv_alpha": 1,
    "unet_lr": "0.0002",
    "text_encoder_lr": 0,
    "learning_rate": "0.0001",
    "optimizer": "AdamW8bit",
    "optimizer_args": "weight_decay=0.05",
    "train_batch_size": 2,
    "gradient_accumulation_steps": 1.0,
    "gradient_checkpointing": True,
    "epoch": 3,
    "max_train_steps": "",
    "max_train_epochs": "",
    "lr_scheduler": "cosine",
    "lr_warmup": "10",
    "max_resolution": "512,512",
    "enable_bucket": True,
    "shuffle_caption": True,
    "keep_tokens": "1",
    "caption_extension": ".txt",
    "caption_dropout_rate": 0.05,
    "clip_skip": "2",
    "min_snr_gamma": 5,
    "noise_offset": "0.05",
    "seed": "1234",
    "save_precision": "fp16",
    "save_every_n_epochs": 1,
    "output_name": "ghost",
    "train_data_dir": "img",
    "xformers": True,
    "cache_latents": True,
    "v2": False,
    "additional_parameters": "",
    "prior_loss_weight": 1.0,
    "sample_prompts": "a zwx ghost --w 512 --n ugly\na zwx ghost on a beach",
    "sample_every_n_steps": 50,
    "scale_weight_norms": 1,
}


def test_kohya_ss_settings_become_a_run(tmp_path):
    draw_pictures(tmp_path / "img" / "2_zwx ghost", 4)
    imported, run = read(tmp_path, "preset.json", GUI)
    method, data, training = run.method, run.data, run.training
    assert (method.name, method.rank, method.alpha, method.layers) == ("loha", 8, 4.0, "attention and MLP")
    assert (method.unet_rate, method.text_rate, training.weight_decay) == (2e-4, 0.0, 0.05)
    assert (training.batch_size, training.schedule, training.warmup, training.seed) == (2, "cosine", 0.1, 1234)
    assert (training.steps, run.saving.save_every) == (3 * 4, 4)  # 4 pictures, twice each, by two
    assert (data.resolution, data.shuffle_captions, data.keep_first, data.clip_skip) == (512, True, 1, 2)
    assert (run.noise.weighting, run.noise.noise_offset, data.caption_dropout) == ("min-snr", 0.05, 0.05)
    assert run.previews.prompts == ("a zwx ghost", "a zwx ghost on a beach") and run.previews.preview_every == 50
    assert (imported.name, run.output.name, run.concepts[0].folder) == ("ghost", "ghost", str(tmp_path / "img"))
    assert said(imported, "sample_prompts", "after --") and said(imported, "scale_weight_norms = 1", "no counterpart")
    assert len(imported.dropped) == 2


def test_epochs_without_the_pictures_are_named_and_the_steps_stay(tmp_path):
    imported, run = read(tmp_path, "preset.json", GUI)
    assert run.training.steps == presets.defaults("loha").training.steps and said(imported, "epoch = 3", "where the "
                                                                                  "pictures are")


@pytest.mark.parametrize("given, steps", [({"max_train_steps": 700}, 700),
                                          ({"max_train_steps": 700, "max_train_epochs": 2}, 8)])
def test_epochs_asked_for_go_before_steps_and_steps_before_the_epochs_of_the_tab(tmp_path, given, steps):
    draw_pictures(tmp_path / "img" / "2_zwx ghost", 4)
    assert read(tmp_path, "preset.json", {**GUI, **given})[1].training.steps == steps


@pytest.mark.parametrize("kind, method", [
    ("Standard", "lora"), ("Kohya LoCon", "locon"), ("LyCORIS/LoKr", "lokr"), ("LyCORIS/iA3", "ia3"),
    ("LyCORIS/Diag-OFT", "oft"), ("LyCORIS/Native Fine-Tuning", "full"), ("Kohya DyLoRA", "dylora"),
    ("LyCORIS/GLoRA", "glora"), ("LyCORIS/BOFT", "boft")])
def test_every_kind_of_network_finds_its_method(tmp_path, kind, method):
    assert read(tmp_path, "preset.json", {**GUI, "LoRA_type": kind})[1].method.name == method


@pytest.mark.parametrize("name, ours, nearest", [
    ("AdamW8bit", "AdamW 8 bit", ""), ("PagedAdamW8bit", "AdamW 8 bit paged", ""), ("AdaFactor", "Adafactor", ""),
    ("came_pytorch.CAME", "CAME", ""), ("AdamWScheduleFree", "AdamW schedule-free", ""),
    ("PagedLion8bit", "Lion", "nearest"), ("DAdaptAdam", "Prodigy", "nearest"),
    ("prodigyplus.ProdigyPlusScheduleFree", "Prodigy", "nearest"), ("SGDNesterov", "AdamW", "other learning rates")])
def test_an_optimizer_is_ours_or_the_nearest_is_named(tmp_path, name, ours, nearest):
    given = {**GUI, "optimizer": name, "optimizer_args": "relative_step=False"}
    imported, run = read(tmp_path, "preset.json", given)
    assert run.training.optimizer == ours and said(imported, f"optimizer = {name}", nearest) == bool(nearest)


def test_rates_of_one_are_prodigy_s_and_count_relative_to_each_other(tmp_path):
    given = {**GUI, "optimizer": "Prodigy", "unet_lr": 1.0, "text_encoder_lr": 0.5, "learning_rate": 1.0,
             "optimizer_args": "decouple=True d_coef=1.0 betas=0.9,0.99"}
    imported, run = read(tmp_path, "preset.json", given)
    assert (run.method.unet_rate, run.method.text_rate, run.training.betas) == (1.0, 0.5, "0.9,0.99")
    assert run.training.weight_decay == 0 and not said(imported, "optimizer")


@pytest.mark.parametrize("given, values", [
    ({"lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": "5"}, ("cosine with restarts", 5, 2.0)),
    ({"lr_scheduler": "cosine_with_restarts"}, ("cosine with restarts", 3, 2.0)),
    ({"lr_scheduler": "polynomial", "lr_scheduler_power": 3}, ("polynomial", 3, 3.0)),
    ({"lr_scheduler": "polynomial"}, ("polynomial", 3, 1.0))])
def test_a_schedule_keeps_its_cycles_and_its_power(tmp_path, given, values):
    """kohya_ss has as many cycles as epochs where none are given."""
    training = read(tmp_path, "preset.json", {**GUI, **given})[1].training
    assert (training.schedule, training.cycles, training.power) == values


def test_a_lokr_of_huge_rank_learns_whole_matrices(tmp_path):
    given = {**GUI, "LoRA_type": "LyCORIS/LoKr", "network_dim": 100000, "factor": 6, "save_precision": "bf16"}
    imported, run = read(tmp_path, "preset.json", given)
    assert (run.method.full_matrix, run.method.factor, run.saving.precision) == (True, 6, "fp32")
    assert said(imported, "save_precision = bf16")


def test_a_value_out_of_reach_is_named_and_ours_is_kept(tmp_path):
    imported, run = read(tmp_path, "preset.json", {**GUI, "network_dim": 9999, "seed": -1})
    assert run.method.rank == 8 and said(imported, "network_dim = 9999", "at most") and said(
        imported, "seed = -1", "at least")


def test_dreambooth_and_textual_inversion_are_known_by_their_keys(tmp_path):
    plain = {k: v for k, v in GUI.items() if k != "LoRA_type"}
    rates = {"learning_rate": 5e-6, "learning_rate_te": 1e-6, "stop_text_encoder_training": 60}
    _, model = read(tmp_path, "a.json", {**plain, **rates})
    assert (model.method.name, model.method.unet_rate, model.method.text_rate) == ("dreambooth", 5e-6, 1e-6)
    assert model.method.text_share == 0.6
    words = {"token_string": "zwx", "init_word": "ghost", "num_vectors_per_token": 6, "template": "style template"}
    _, word = read(tmp_path, "b.json", {**plain, **words, "learning_rate": 0.005})
    assert word.method.name == "textual_inversion"
    assert (word.method.vectors, word.method.initial, word.method.rate) == (6, "ghost", 0.005)
    assert (word.concepts[0].word, word.data.template) == ("zwx", "style")


def test_pictures_described_in_a_file_of_their_own_come_from_there(pictures):
    (pictures / "set.toml").write_text(DATASET, encoding="utf-8")
    imported, run = read(pictures, "preset.json", {**GUI, "dataset_config": "set.toml", "train_data_dir": ""})
    assert len(run.concepts) == 2 and (run.data.keep_first, run.method.name) == (2, "loha")
    assert said(imported, "color_aug")
    imported = read(pictures, "preset.json", {**GUI, "dataset_config": "none.toml"})[0]
    assert said(imported, "dataset_config", "does not exist")


# ---- sd_dreambooth_extension

MODEL = {
    "model_name": "my ghost",
    "src": "/models/base.safetensors",
    "use_lora": False,
    "learning_rate": 2e-6,
    "txt_learning_rate": 1e-6,
    "stop_text_encoder": 0.7,
    "lr_scheduler": "constant_with_warmup",
    "lr_warmup_steps": 40,
    "num_train_epochs": 100,
    "train_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "gradient_checkpointing": True,
    "resolution": 512,
    "hflip": True,
    "shuffle_tags": False,
    "clip_skip": 2,
    "offset_noise": 0.1,
    "prior_loss_weight": 0.75,
    "save_embedding_every": 25,
    "save_preview_every": 5,
    "optimizer": "8bit AdamW",
    "weight_decay": 0.02,
    "half_model": True,
    "use_ema": False,
    "use_concepts": False,
    "mixed_precision": "fp16",
    "attention": "xformers",
    "min_snr_gamma": 5.0,
    "noise_scheduler": "DDPM",
    "lora_weight": 0.8,
    "lora_unet_rank": 4,
    "lora_txt_rank": 4,
    "lora_learning_rate": 1e-4,
    "lora_txt_learning_rate": 5e-5,
    "v2": False,
    "concepts_list": [{
        "instance_data_dir": "", "instance_prompt": "a zwx ghost", "class_prompt": "a ghost", "class_data_dir": "",
        "instance_token": "", "class_token": "", "num_class_images_per": 3, "class_guidance_scale": 7.5,
        "class_infer_steps": 40, "class_negative_prompt": "ugly", "save_sample_prompt": "a zwx ghost on a beach",
        "save_guidance_scale": 6.5, "save_infer_steps": 30, "sample_seed": 7
    }],
}


def model(folder, **changes):
    concept = {**MODEL["concepts_list"][0], "instance_data_dir": str(folder)}
    return {**MODEL, "concepts_list": [{**concept, **changes.pop("concept", {})}], **changes}


def test_a_db_config_becomes_a_run(tmp_path):
    folder = draw_pictures(tmp_path / "pictures", 4)
    imported, run = read(tmp_path, "db_config.json", model(folder))
    method, training, concept = run.method, run.training, run.concepts[0]
    assert (method.name, method.unet_rate, method.text_rate, method.text_share) == ("dreambooth", 2e-6, 1e-6, 0.7)
    assert (training.steps, training.warmup_steps, training.schedule) == (200, 40, "constant")
    assert training.weight_decay == 0.02
    assert (run.saving.save_every, run.saving.precision, run.previews.preview_every) == (50, "fp16", 10)
    assert (concept.folder, concept.instance_prompt, concept.class_prompt) == (str(folder), "a zwx ghost", "a ghost")
    assert (run.prior.preserve, run.prior.weight, run.prior.pictures, run.prior.drawing_steps) == (True, 0.75, 12, 40)
    assert (run.data.flip, run.data.clip_skip, run.noise.noise_offset, run.noise.weighting) == (True, 2, 0.1, "none")
    assert (run.previews.prompts, run.previews.cfg, run.previews.preview_seed) == (("a zwx ghost on a beach",), 6.5, 7)
    assert (imported.name, run.base.checkpoint) == ("my ghost", "/models/base.safetensors")
    assert said(imported, "min_snr_gamma = 5.0", "no effect there") and said(imported, "class_negative_prompt = ugly")
    assert len(imported.dropped) == 2


def test_class_prompts_by_caption_are_taken_over(tmp_path):
    folder = draw_pictures(tmp_path / "pictures", 4)
    captioned = {"class_prompt": "[filewords]", "class_token": "ghost"}
    plain, token = (read(tmp_path, "db_config.json",
                         model(folder, concept={**captioned, "instance_token": t}))[1].concepts[0] for t in ("", "zwx"))
    assert (plain.class_prompt, token.class_prompt, token.word) == ("ghost", "[filewords]", "zwx")


def test_a_lora_there_counted_in_full_while_it_trained(tmp_path):
    folder = draw_pictures(tmp_path / "pictures", 4)
    imported, run = read(tmp_path, "db_config.json", model(folder, use_lora=True, lora_txt_rank=8))
    assert (run.method.name, run.method.rank, run.method.alpha, run.method.unet_rate) == ("lora", 4, 4.0, 1e-4)
    assert said(imported, "lora_weight = 0.8", "weakened the saved file") and said(imported, "lora_txt_rank = 8")


def test_an_older_config_has_one_rate_for_both(tmp_path):
    old = {k: v for k, v in model(tmp_path).items() if k != "txt_learning_rate"}
    assert read(tmp_path, "db_config.json", old)[1].method.text_rate == 2e-6
    assert read(tmp_path, "db_config.json", {**old, "stop_text_encoder": 0})[1].method.text_rate == 0.0


def test_what_cannot_be_counted_is_named(tmp_path):
    imported, run = read(tmp_path, "db_config.json", model(tmp_path / "elsewhere"))
    assert said(imported, "num_train_epochs = 100") and run.training.warmup_steps == 40
    assert said(imported, "num_class_images_per = 3")


def test_concepts_in_a_file_of_their_own(tmp_path):
    folder, listed = draw_pictures(tmp_path / "pictures", 2), tmp_path / "concepts.json"
    listed.write_text(json.dumps(model(folder)["concepts_list"] * 2), encoding="utf-8")
    _, run = read(tmp_path, "db_config.json", {**MODEL, "use_concepts": True, "concepts_path": str(listed)})
    assert len(run.concepts) == 2


# ---- and our own

def test_a_run_of_our_own_is_read_back_whole(tmp_path):
    run = from_dict({"output": {"name": "ghost"}, "method": {"name": "loha", "rank": 3},
                     "concepts": [{"folder": str(tmp_path)}]})
    imported, again = read(tmp_path, "run.toml", toml.dump_toml(to_dict(run)))
    assert (again, imported.name, imported.dropped) == (run, "ghost", ())


@pytest.mark.parametrize("text, words", [("[1, 2]", "is none of these"), ("{", "not a readable file"),
                                         ('{"train_batch_size": {}}', "")])
def test_a_json_file_that_is_none_never_breaks_the_import(tmp_path, text, words):
    try:
        read(tmp_path, "odd.json", text)
    except SettingError as error:
        assert words in str(error)
    with pytest.raises(SettingError, match="There is no file"):
        imports.read_settings(tmp_path / "none.json")


def test_the_command_line_writes_a_file_that_trains_under_the_import_s_name(tmp_path):
    draw_pictures(tmp_path / "幽灵" / "10_zwx ghost", 1)
    assert cli.main(["import", str(tmp_path / "幽灵"), str(tmp_path / "run.toml")]) == 0
    run = from_dict(toml.read_toml(tmp_path / "run.toml"))
    assert (run.output.name, run.concepts[0].folder) == ("幽灵", str(tmp_path / "幽灵"))


def test_the_command_line_prints_toml_that_trains_and_what_was_lost(tmp_path, capsys):
    folder = draw_pictures(tmp_path / "pictures", 4)
    path = tmp_path / "db_config.json"
    path.write_text(json.dumps(model(folder)), encoding="utf-8")
    assert cli.main(["import", str(path)]) == 0
    out, err = capsys.readouterr()
    (tmp_path / "run.toml").write_text(out, encoding="utf-8")
    assert from_dict(toml.read_toml(tmp_path / "run.toml")).concepts[0].folder == str(folder)
    assert "min_snr_gamma" in err and cli.main(["import", str(tmp_path / "none.json")]) == 2


def test_folders_that_our_own_run_names_beside_it_are_found(tmp_path):
    (tmp_path / "pictures").mkdir()
    run = from_dict({"output": {"name": "ghost"}, "concepts": [{"folder": "pictures", "class_folder": "elsewhere"}]})
    _, again = read(tmp_path, "run.toml", toml.dump_toml(to_dict(run)))
    assert (again.concepts[0].folder, again.concepts[0].class_folder) == tuple(
        str(tmp_path / name) for name in ("pictures", "elsewhere"))
