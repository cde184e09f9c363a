"""The REST API below ``/api/v1/``. Start reading in ``urls.py``.

``views``, ``serializers`` and ``filtersets`` have one file for each resource, with the same name in each folder;
``requests`` validates query parameters and bodies. The modules of this folder are shared by all resources.
"""
