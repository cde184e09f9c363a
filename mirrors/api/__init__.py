"""The REST API below ``/api/v1/``. Begin in ``urls.py``.

``views``, ``serializers`` and ``filtersets`` have one file for each resource, with the same name in each;
``requests`` says what a request may hold. What all resources share is here.
"""
