"""Cards, presets, changed settings, search and TOML in a real WebUI, by clicking."""

from browser import choose_tab, create, fill, import_settings, unfold


def shows(page, elem_id, value):
    page.wait_for_function(
        f"() => document.querySelector('#{elem_id} textarea, #{elem_id} input')?.value === '{value}'")


def changed(page, text):
    page.wait_for_function(f"() => document.querySelector('#darkroom_starts').innerText.includes('{text}')")


def test_a_tile_chooses_its_workspace(page, seen):
    create(page, "one")
    create(page, "two")
    page.locator(".darkroom-tile", has_text="one").click()
    shows(page, "darkroom_workspace", "one")
    seen({})


def test_a_workspace_is_renamed_and_deleted(page, webui, seen):
    unfold(page, "Rename, duplicate")
    fill(page, "darkroom_rename_to", "three")
    page.click("#darkroom_rename")
    page.wait_for_selector("#darkroom_manage_answer >> text=Renamed one to three")
    page.click("#darkroom_delete")
    page.wait_for_selector("#darkroom_manage_answer >> text=Moved three to the trash")
    assert list((webui.data / "models" / "darkroom" / "trash").glob("three/run.toml"))
    seen({})


def test_an_import_becomes_a_workspace(page, webui, seen):
    path = webui.data / "kohya 设置.json"
    path.write_text('{"LoRA_type": "Standard", "train_batch_size": 3, "network_dim": 5, "color_aug": true}',
                    encoding="utf-8")
    import_settings(page, path)
    page.wait_for_selector("#darkroom_import_answer >> text=color_aug")
    seen({})


def test_settings_are_marked_found_and_go_back(page, seen):
    create(page, "marked")
    choose_tab(page, "Train")
    fill(page, "darkroom_training_seed", 9)
    changed(page, "1 changed")
    page.locator("#darkroom_training_seed .darkroom-back").click()
    shows(page, "darkroom_training_seed", "0")
    fill(page, "darkroom_search", "mirrored")
    page.wait_for_selector("#darkroom_data_flip", state="visible")
    assert not page.is_visible("#darkroom_training_steps")
    fill(page, "darkroom_search", "")
    page.wait_for_selector("#darkroom_training_steps", state="visible")
    seen({})


def test_a_preset_and_a_pasted_toml_are_applied(page, seen):
    page.locator("#darkroom_preset input").click()
    page.locator("#darkroom_preset li", has_text="Graphics card with 6 GB").click()
    page.click("#darkroom_preset_apply")
    changed(page, "Gradient checkpointing on")
    unfold(page, "Save, copy or paste")
    fill(page, "darkroom_toml", "training.steps = 55")
    page.click("#darkroom_toml_apply")
    shows(page, "darkroom_training_steps", "55")
    page.click("#darkroom_back_all")
    shows(page, "darkroom_training_steps", "400")
    assert page.problems == []
    seen({})
