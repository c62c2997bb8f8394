"""Stand-ins for the few modules of Forge and of its branch Neo that Darkroom uses, with the signatures of each."""

import sys
import threading
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from safetensors.torch import load_file

from extension_lib.families.sd1 import SD1
from extension_lib.models.names import inverted, replace_prefix, unet_prefixes

MAIN, NEO = "Forge", "Forge Neo"
OURS = ("extension_lib.hosts.forge", "extension_lib.hosts.a1111", "extension_lib.hosts.unsupported")
DELTA = ("lora_up.weight", "lora_down.weight", "alpha")


class Engine:
    """What Forge holds as its model: a circle of references, as the real one is."""

    def __init__(self, info, folder):
        self.sd_checkpoint_info, self.filename, self.current_lora_hash = info, info.filename, "[]"
        unet = SimpleNamespace(lora_loader=SimpleNamespace(loaded_hash="one"))
        clip = SimpleNamespace(patcher=SimpleNamespace(lora_loader=SimpleNamespace(loaded_hash="one")))
        self.forge_objects = self.forge_objects_original = SimpleNamespace(unet=unet, clip=clip, engine=self)
        self.text_processing_engine = SimpleNamespace(embeddings=Embeddings(None, 768))
        self.text_processing_engine.embeddings.add_embedding_dir(folder)
        self.text_processing_engine.embeddings.load_textual_inversion_embeddings()


class FakeInitialModel:
    cond_stage_model = None


class Embeddings:
    def __init__(self, tokenizer, expected_shape=-1):
        self.tokenizer, self.expected_shape, self.word_embeddings, self.folders = tokenizer, expected_shape, {}, []

    def add_embedding_dir(self, path):
        self.folders.append(Path(path))

    def load_from_file(self, path, filename):
        vectors = next(iter(load_file(path).values()))
        if vectors.shape[-1] == self.expected_shape:
            self.word_embeddings[Path(filename).stem] = SimpleNamespace(vec=vectors.float())

    def load_textual_inversion_embeddings(self):
        self.word_embeddings = {path.stem: path for folder in self.folders for path in folder.glob("*.safetensors")}


class State:
    interrupted = skipped = stopping_generation = False
    textinfo = server = None
    job_count = job_no = 0

    def begin(self, job="(unknown)"):
        self.job = job

    def end(self):
        self.job = ""

    server_command = property(lambda self: self.server, lambda self, value: setattr(self, "server", value))


class Adapter:
    """Neo's patches are objects."""

    def __init__(self, weights):
        self.weights = weights

    def calculate_weight(self, weight, key, strength, strength_model, offset, function, computation_dtype):
        return weight + strength * product(self.weights, computation_dtype)


def product(weights, dtype):
    up, down, alpha = weights
    scale = alpha.item() / len(down)
    return scale * (up.to(dtype).flatten(1) @ down.to(dtype).flatten(1)).reshape(up.shape[0], *down.shape[1:])


def load_lora(lora, to_load, kind):
    patches, known = {}, set()
    for key, name in to_load.items():
        names = [f"{key}.{part}" for part in DELTA]
        if all(one in lora for one in names):
            weights = [lora[one] for one in names]
            patches[name] = Adapter(weights) if kind == NEO else ("lora", weights)
            known.update(names)
    return patches, {key: tensor for key, tensor in lora.items() if key not in known}


@torch.inference_mode()
def merge_lora_to_weight(patches, weight, key="online_lora", computation_dtype=torch.float32):
    for strength, patch, strength_model, offset, function in patches:
        if isinstance(patch, Adapter):
            weight = patch.calculate_weight(weight, key, strength, strength_model, offset, function, computation_dtype)
        else:
            weight = weight + strength * product(patch[1], computation_dtype)
    return weight


def model_lora_keys_unet(model, key_map={}):  # noqa: B006  as in both
    names = inverted(model.diffusion_model.config["names"])
    for name in model.state_dict():
        path = replace_prefix(name.removeprefix("diffusion_model.").removesuffix(".weight"), names)
        if name.endswith(".weight") and path:
            key_map[f"lora_unet_{path.replace('.', '_')}"] = name
    return key_map


def model_lora_keys_clip(model, key_map={}):  # noqa: B006
    for name in model.state_dict():
        if name.endswith(".weight") and ".encoder.layers." in name and "_norm" not in name:
            path = name.removeprefix("clip_l.transformer.").removesuffix(".weight")
            key_map[f"lora_te_{path.replace('.', '_')}"] = name
    return model.state_dict().keys(), key_map


class Program:
    """A Forge of this kind on a data folder; its modules are to be put into sys.modules."""

    def __init__(self, kind, data, checkpoint):
        self.kind, self.data, self.events = kind, data, []
        self.queue_lock, self.reads = threading.RLock(), []
        info = SimpleNamespace(filename=str(checkpoint), title=checkpoint.name, name=checkpoint.name)
        for folder in ("lora", "embeddings", "checkpoints"):
            (data / folder).mkdir(parents=True, exist_ok=True)
        self.data_of_model = SimpleNamespace(sd_model=FakeInitialModel(), forge_hash="",
                                             forge_loading_parameters={"checkpoint_info": info})
        self.infos = {info.title: info}

    def note(self, what, *unused, **named):
        self.events.append(what)

    def forge_model_reload(self):
        wanted = self.data_of_model.forge_loading_parameters
        if self.data_of_model.forge_hash != str(wanted):
            self.data_of_model.sd_model = Engine(wanted["checkpoint_info"], self.data / "embeddings")
            self.data_of_model.forge_hash = str(wanted)
            self.note("load")
        return self.data_of_model.sd_model

    def process_images(self, p):
        self.forge_model_reload()
        self.note(f"draw {p.prompt}")
        return SimpleNamespace(images=["a picture"])

    def load_lora_state_dict(self, filename, safe_load=True):
        self.reads.append(filename)
        return load_file(filename)

    def modules(self):
        read = partial(self.load_lora_state_dict) if self.kind == NEO else lru_cache(5)(self.load_lora_state_dict)
        options = SimpleNamespace(sd_model_checkpoint="", data_labels={})
        flags = {"lora_dir": str(self.data / "lora"), "embeddings_dir": str(self.data / "embeddings"),
                 "freeze_settings": False, "freeze_specific_settings": None, "freeze_settings_in_sections": None}
        if self.kind == MAIN:
            flags |= {"ckpt_dir": str(self.data / "checkpoints"), "hypernetwork_dir": str(self.data / "hypernetworks")}
        processing = {"cached_c": [None] * 3, "cached_uc": [None] * 3, "close": lambda self: None,
                      "__init__": lambda self, **named: self.__dict__.update(named)}
        plain = type("StableDiffusionProcessing", (), processing)
        hires = type("StableDiffusionProcessingTxt2Img", (plain,), {"cached_hr_c": [None], "cached_hr_uc": [None]})
        sd_models = {"model_data": self.data_of_model, "FakeInitialModel": FakeInitialModel, "checkpoint_aliases": {},
                     "checkpoints_list": self.infos, "list_models": partial(self.note, "list models"),
                     "forge_model_reload": self.forge_model_reload, "__file__": __file__}
        if self.kind == MAIN:
            sd_models["load_model"] = lambda checkpoint_info=None, already_loaded_state_dict=None: None
        return {
            "modules": {}, "modules_forge": {}, "backend": {}, "backend.patcher": {}, "backend.text_processing": {},
            "modules.paths": {"models_path": str(self.data)}, "modules.sd_models": sd_models,
            "modules.shared": {"cmd_opts": SimpleNamespace(**flags), "opts": options, "state": State(),
                               "sd_model": None},
            "modules.hashes": {"sha256_from_cache": lambda filename, title: None},
            "modules.devices": {} if self.kind == NEO else {"NansException": type("NansException", (Exception,), {})},
            "modules.restart": {"stop_program": lambda: None},
            "modules.call_queue": {"queue_lock": self.queue_lock},
            "modules.progress": {"pending_tasks": {}, "current_task": None, "add_task_to_queue": lambda task: None,
                                 "start_task": lambda task: None, "finish_task": lambda task: None},
            "modules.processing": {"StableDiffusionProcessing": plain, "StableDiffusionProcessingTxt2Img": hires,
                                   "process_images": self.process_images},
            "backend.memory_management": {
                "unload_all_models": lambda: self.note("unload"), "get_torch_device": lambda: torch.device("cpu"),
                "soft_empty_cache": partial(self.note, "empty cache"), "should_use_fp16": lambda device=None: False},
            "backend.patcher.lora": {
                "load_lora": partial(load_lora, kind=self.kind), "merge_lora_to_weight": merge_lora_to_weight,
                "model_lora_keys_unet": model_lora_keys_unet,
                "model_lora_keys_clip": model_lora_keys_clip if self.kind == NEO else
                lambda model, key_map={}: model_lora_keys_clip(model, key_map)[1]},  # noqa: B006
            "backend.text_processing.textual_inversion": {"EmbeddingDatabase": Embeddings},
            "huggingface_guess": {"guess": self.guess},
            "networks": {"load_lora_state_dict": read, "list_available_networks": partial(self.note, "list networks")}}

    def guess(self, state_dict):
        if "model.diffusion_model.input_blocks.0.0.weight" not in state_dict:
            raise AttributeError("unet_config") if self.kind == NEO else KeyError("unet_config")
        return SimpleNamespace(unet_config={"names": unet_prefixes(SD1)}, huggingface_repo="an/sd15")

    def install(self, monkeypatch):
        """As long as the test lasts, these modules are there, and Darkroom's own for Forge are imported anew."""
        forget_imports()
        made = {name: ModuleType(name) for name in self.modules()}
        for name, held in self.modules().items():
            vars(made[name]).update(held)
            parent, _, leaf = name.rpartition(".")
            if parent:
                setattr(made[parent], leaf, made[name])
            monkeypatch.setitem(sys.modules, name, made[name])


def forget_imports():
    for name in [name for name in sys.modules if name.startswith(OURS)]:
        del sys.modules[name]
