"""A whole checkpoint takes along what its base has beside it."""

from extension_lib.export.checkpoint import copy_config_files
from extension_lib.setup import practice


def test_a_checkpoint_of_the_installed_practice_model_has_its_yaml_and_preset(tmp_path):
    base, own = practice.install(tmp_path), tmp_path / "my ghost.safetensors"
    copy_config_files(base, own)
    for suffix in (".yaml", ".darkroom.toml"):
        assert own.with_name(own.stem + suffix).read_bytes() == base.with_name(base.stem + suffix).read_bytes()


def test_the_yaml_that_ships_is_a_template_and_stays_where_it_is(tmp_path):
    copy_config_files(practice.BASE, tmp_path / "ghost.safetensors")
    assert not (tmp_path / "ghost.yaml").exists()
